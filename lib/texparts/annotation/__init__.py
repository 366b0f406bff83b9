"""Named parts over faces, the edits that change them, and the object folders that hold them."""
