package audit

import (
	"errors"
	"fmt"

	"github.com/vitrine-psm/vitrine/internal/signkey"
)

// pendingSuffix is that of the file a new key waits in until the log names it.
const pendingSuffix = ".new"

// currentKey returns the key in the file at path, which must be signedBy, the log's present key. A rotation that
// stopped half-way has left that one in the file beside, and is completed here.
func currentKey(path, signedBy string) (*signkey.Key, error) {
	k, err := signkey.Load(path)
	if err == nil && k.Verifier() == signedBy {
		return k, nil
	}
	if pending, e := signkey.Load(path + pendingSuffix); e == nil && pending.Verifier() == signedBy {
		if err := signkey.Promote(path, path+pendingSuffix); err != nil {
			return nil, fmt.Errorf("audit: key: %w", err)
		}
		return signkey.Load(path)
	}
	switch {
	case errors.Is(err, signkey.ErrMissing):
		return nil, fmt.Errorf("%w: %s is not there, and the log is signed with %s; restore it", ErrKey, path, signedBy)
	case err != nil:
		return nil, fmt.Errorf("audit: key: %w", err)
	}
	return nil, fmt.Errorf("%w: %s holds %s, and the log is signed with %s", ErrKey, path, k.Verifier(), signedBy)
}
