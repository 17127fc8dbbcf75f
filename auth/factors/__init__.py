"""Second factors: what a person has enrolled, the sign-in that waits for one, and the proof of each kind."""
