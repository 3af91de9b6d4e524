package detect

import (
	_ "embed" // the rules
	"sync"
)

//go:embed starter.yaml
var starterYAML []byte

// Starter returns the rules and lists Vitrine comes with.
func Starter() File { return starter() }

var starter = sync.OnceValue(func() File {
	f, err := ParseYAML(starterYAML)
	if err != nil {
		panic("detect: starter.yaml: " + err.Error()) // the tests read it
	}
	return f
})
