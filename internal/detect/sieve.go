package detect

import "strings"

// sieve is the set of pairs of neighbouring bytes in a text, hashed: where it lacks a pair of a word, the text lacks the word. Looking
// for some hundred words in each line of a long paste costs far more without.
type sieve [8]uint64

func sift(s string) (v sieve) {
	for i := 1; i < len(s); i++ {
		h := uint32(s[i-1])*0x9E3779B1 ^ uint32(s[i])*0x85EBCA6B
		v[h>>29] |= 1 << (h >> 23 & 63)
	}
	return v
}

// within tells whether all of v is in text.
func (v *sieve) within(text *sieve) bool {
	for i := range v {
		if v[i]&^text[i] != 0 {
			return false
		}
	}
	return true
}

// sifted is a text or a word with its pairs.
type sifted struct {
	string
	pairs sieve
}

func newSifted(s string) sifted { return sifted{s, sift(s)} }

// has tells whether a word is in the text.
func (t *sifted) has(word *sifted) bool {
	return word.pairs.within(&t.pairs) && strings.Contains(t.string, word.string)
}
