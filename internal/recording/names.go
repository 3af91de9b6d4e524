package recording

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a file of a recording holds.
type Kind string

// The kinds of files the journal lists.
const (
	KindSession Kind = "session"
	KindInit    Kind = "init"
	KindSegment Kind = "segment"
	KindEvents  Kind = "events"

	KindThumbnail Kind = "thumbnail"
)

// Files there is one of.
const (
	sessionFile  = "session.json"
	journalFile  = "journal.ndjson"
	manifestFile = "manifest.json"
	// signatureFile is the signed statement about the manifest.
	signatureFile = "manifest.sig"
)

// numbered are the kinds with a number in the name, which has a fixed count of digits.
var numbered = []struct {
	kind        Kind
	before      string
	digits, max int
	after       string
}{
	{KindInit, "init-", 6, maxInits, ".mp4"},
	{KindSegment, "seg-", 6, maxSegments, ".m4s"},
	{KindEvents, "events-", 6, maxChunks, ".ndjson"},
	{KindThumbnail, "thumb-", 6, maxThumbnails, ".jpg"},
}

// fileName returns the name of file n of a kind, or ErrLimit.
func fileName(kind Kind, n int) (string, error) {
	for _, k := range numbered {
		if k.kind == kind && n >= 0 && n < k.max {
			return fmt.Sprintf("%s%0*d%s", k.before, k.digits, n, k.after), nil
		}
	}
	return "", fmt.Errorf("%w: file %d of kind %s", ErrLimit, n, kind)
}

// parseName is the inverse of fileName, strict: what it accepts holds no separators, no dots but those of the suffix,
// and is the only spelling. ok is false for any other name, also the journal's and the manifest's.
func parseName(name string) (kind Kind, n int, ok bool) {
	if name == sessionFile {
		return KindSession, 0, true
	}
	for _, k := range numbered {
		digits, found := strings.CutPrefix(name, k.before)
		if !found {
			continue
		}
		digits, found = strings.CutSuffix(digits, k.after)
		if !found || len(digits) != k.digits || strings.Trim(digits, "0123456789") != "" {
			return "", 0, false
		}
		n, err := strconv.Atoi(digits)
		return k.kind, n, err == nil && n < k.max
	}
	return "", 0, false
}

// ContentType is the media type of a file of a recording.
func ContentType(name string) string {
	if name == signatureFile {
		return "text/plain; charset=utf-8"
	}
	switch kind, _, _ := parseName(name); kind {
	case KindInit:
		return "video/mp4"
	case KindSegment:
		return "video/iso.segment"
	case KindEvents:
		return "application/x-ndjson"
	case KindThumbnail:
		return "image/jpeg"
	default:
		return "application/json"
	}
}

// ValidSessionID tells whether id can name a recording: a ULID, 26 characters of Crockford's base 32.
func ValidSessionID(id string) bool {
	return len(id) == 26 && strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ""
}
