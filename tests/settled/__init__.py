"""Pages that go on after their load event, each with what a person sees once it has settled."""
