"""The `trustvqa` command, and a module for each of its sub-commands."""

from trustvqa.cli.service_code import make_importable

make_importable()
