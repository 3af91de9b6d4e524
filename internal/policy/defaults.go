package policy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/store"
)

//go:embed defaults/*.cedar
var shipped embed.FS

// defaultNames are the names of the policies Vitrine comes with, by id.
var defaultNames = map[string]string{
	"administrators": "Administrators may do everything",
	"own-sessions":   "Everybody sees their own sessions",
	"users":          "Users connect with an approved request",
	"supervisors":    "Supervisors watch and step in",
	"reviewers":      "Reviewers replay recordings",
}

// formerDefaults are SHA-256 sums of what policies said that earlier versions came with, by id. Those that nobody has touched say what they
// say now from the next start on: rights that a new version brings would else belong to nobody.
var formerDefaults = map[string][]string{
	"supervisors": {"cc81a5f7662ef947e817272963d2daf0bdd6bf4c3139436e3917e119d4ed1160", "a7e5a0024405e039ec09ab52863ca24241244953b2ec4333af1563cfc121e994"},
	"reviewers":   {"3f91df1eed39e9f6e61e5d5def30a507bf188436ec99b90ac2c775281d9bf182"},
}

// isFormerDefault tells whether a policy is one of an earlier version as it came.
func isFormerDefault(p *store.Policy) bool {
	sum := sha256.Sum256([]byte(p.Text))
	return p.UpdatedBy == "" && p.UpdatedByName == seeder.Name && slices.Contains(formerDefaults[p.ID], hex.EncodeToString(sum[:]))
}

// seeder is who writes the policies Vitrine comes with.
var seeder = Author{Name: "Vitrine"}

// Defaults returns the policies Vitrine comes with. They give the roles their meaning; administrators change them like
// any other.
func Defaults() []Document {
	entries, err := shipped.ReadDir("defaults")
	if err != nil {
		panic("policy: " + err.Error()) // embedded
	}
	var out []Document
	for _, e := range entries {
		text, err := shipped.ReadFile("defaults/" + e.Name())
		if err != nil {
			panic("policy: " + err.Error())
		}
		_, id, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".cedar"), "-")
		out = append(out, Document{ID: id, Name: defaultNames[id], Text: string(text), Enabled: true})
	}
	return out
}
