"""Where models live: the object store. The only room that imports an object-store client."""
