"""Things that containers need beside the code: configuration, tools for their images, dashboards."""
