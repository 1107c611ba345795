"""Picture archives (PACS) that speak DICOMweb: finding, fetching and storing objects."""
