"""One question over plain HTTP, by what Python brings: no package has to be imported first."""
