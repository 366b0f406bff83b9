"""The review as a web application: page, JSON interface, log-in and 3D view."""
