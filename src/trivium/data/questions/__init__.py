"""Questions with reference answers: the data of the coherence road."""
