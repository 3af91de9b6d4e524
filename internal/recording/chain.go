package recording

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// next is the link of the chain that adds e to what head stands for: SHA-256 of head and of e's JSON without its link.
// Whoever holds a head holds all entries before it to what they were, in their order.
func (e Entry) next(head Hash) (Hash, error) {
	e.Chain = Hash{}
	line, err := json.Marshal(e)
	if err != nil {
		return Hash{}, err
	}
	h := sha256.New()
	h.Write(head[:])
	h.Write(line)
	return Hash(h.Sum(nil)), nil
}

// follow checks that e is the entry after head, and returns the head after it.
func (e *Entry) follow(head Hash) (Hash, error) {
	want, err := e.next(head)
	if err != nil {
		return Hash{}, err
	}
	if e.Chain != want {
		return Hash{}, fmt.Errorf("%s does not continue the chain", e.Name)
	}
	return want, nil
}
