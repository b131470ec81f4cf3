"""Networks: pictures in, picture out. No files but weights, no threads, no video."""
