package serve

import (
	"net/http"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/config"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/signkey"
)

// evidence signs with the key in its file as it is at the moment, so that a rotated key is used and a lost one noticed
// without a restart.
type evidence struct{ path string }

var (
	_ recording.Signer = evidence{}
	_ api.Evidence     = evidence{}
)

// openEvidence makes the key at the first start.
func openEvidence(cfg config.Evidence) (evidence, error) {
	_, err := signkey.Open(cfg.KeyFile, cfg.KeyName)
	return evidence{cfg.KeyFile}, err
}

// Sign implements recording.Signer.
func (e evidence) Sign(text string) ([]byte, error) {
	k, err := signkey.Load(e.path)
	if err != nil {
		return nil, err
	}
	return k.Sign(text)
}

// Trust implements api.Evidence.
func (e evidence) Trust() (recording.Trust, error) {
	k, err := signkey.Load(e.path)
	if err != nil {
		return nil, err
	}
	return k.Trusted(), nil
}

// ready refuses to begin what could not be signed in the end.
func (e evidence) ready() error {
	if _, err := signkey.Load(e.path); err != nil {
		return &api.Error{
			Status: http.StatusServiceUnavailable, Code: "evidence_key_unavailable",
			Detail: "The gateway cannot sign recordings now, so no session may begin.", Err: err,
		}
	}
	return nil
}
