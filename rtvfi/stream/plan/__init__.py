"""Which picture is shown when, decided without pixels."""
