package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vitrine": main})
}

// TestScripts runs testdata/script: the command line as people use it, from the outside.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the program dozens of times, which hashes passwords as it does for people")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"record":  func(ts *testscript.TestScript, neg bool, args []string) { record(t, ts, neg, args) },
			"alter":   alter,
			"trust":   trust,
			"waitfor": waitFor,
			"get":     get,
			"setup":   setup,
		},
	})
}
