"""The `trustvqa` command."""
