package detect

// MatchSlowly is Match without leaving rules and patterns out by plain strings.
func MatchSlowly(s *Set, source Source, text string) (hits []Hit) {
	done := map[*compiled]bool{}
	for piece := range pieces(text) {
		t := Tidy(piece)
		words := wordsOf(piece, s.of[source])
		for _, c := range s.of[source] {
			if !done[c] && c.fits(&t, nil, words) {
				done[c] = true
				if hits = append(hits, Hit{Rule: c.rule, Source: source}); len(hits) == maxHits {
					return hits
				}
			}
		}
	}
	return hits
}
