"""Reading a document: its parts, the options of cells and formats, and the files of its look."""
