package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what a key signs: the log of that origin had Size entries, with that hash over all of them.
type Checkpoint struct {
	Origin string
	tlog.Tree
}

// text is the body of a checkpoint's note: the origin, the size in decimal and the hash in base64, a line each.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.N, c.Hash)
}

// parseCheckpoint reads the body of a note. Lines that follow the three are for later versions.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, errors.New("audit: checkpoint has not its three lines")
	}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != lines[1] {
		return Checkpoint{}, errors.New("audit: checkpoint has a malformed size")
	}
	h, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, errors.New("audit: checkpoint has a malformed hash")
	}
	return Checkpoint{lines[0], tlog.Tree{N: n, Hash: h}}, nil
}

// sign returns the note.
func (c Checkpoint) sign(keys ...note.Signer) (string, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, keys...)
	if err != nil {
		return "", fmt.Errorf("audit: sign checkpoint: %w", err)
	}
	return string(signed), nil
}

// OpenCheckpoint checks a note's signatures by keys, which are verifier keys; one of them must have signed. It returns
// those that did.
func OpenCheckpoint(signed string, keys ...string) (Checkpoint, []string, error) {
	verifiers := make([]note.Verifier, 0, len(keys))
	byHash := map[uint32]string{}
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return Checkpoint{}, nil, fmt.Errorf("audit: key %q: %w", k, err)
		}
		if byHash[v.KeyHash()] == "" {
			verifiers = append(verifiers, v)
		}
		byHash[v.KeyHash()] = k
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("audit: checkpoint: %w", err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	var by []string
	for _, s := range n.Sigs {
		by = append(by, byHash[s.Hash])
	}
	return c, by, nil
}

// unsignedCheckpoint reads a note whose signature is not known or checked.
func unsignedCheckpoint(signed string) (Checkpoint, error) {
	text, _, ok := strings.Cut(signed, "\n\n")
	if !ok {
		return Checkpoint{}, errors.New("audit: checkpoint has no signature")
	}
	return parseCheckpoint(text + "\n")
}
