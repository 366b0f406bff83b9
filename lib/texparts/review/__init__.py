"""The database of a review: annotators, leases, edits, submissions."""
