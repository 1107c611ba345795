"""Picture files that are not read: of other formats, and kinds of TIFF, JPEG and BMP that decoders read wrongly."""
