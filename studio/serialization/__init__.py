"""Values as text: the notation of records, and JSON from outside, read strictly."""
