"""Tables, sentences and claims of the report."""
