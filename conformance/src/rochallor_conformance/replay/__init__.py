"""Contract replay: what was said to one engine, written down and said again to another, or judged without any."""
