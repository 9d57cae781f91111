"""Facts across groups that cannot hold at the same time: each rule yields a sentence for every problem it finds."""
