"""The app of `alignparts demo`: a mesh in the browser, named by the pipeline, to look at and to take away."""
