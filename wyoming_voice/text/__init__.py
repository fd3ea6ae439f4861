"""Text on its way to an engine: plain, in sentences, its language known; incremental where it still arrives."""
