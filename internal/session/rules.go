package session

import (
	"context"

	"github.com/vitrine-psm/vitrine/internal/detect"
)

// SetRules changes which rules are tried from now on. What is being typed is tried by the new ones. It returns RefusedEnded when the
// session has ended.
func (s *Session) SetRules(ctx context.Context, rules *detect.Set) error {
	return s.change(ctx, func() error {
		if s.detection != nil {
			s.detection.detector.SetRules(rules)
			return nil
		}
		cfg := s.cfg.Detection
		cfg.Rules = rules
		s.detection = newDetection(cfg, s.record, s.loop.post)
		return nil
	})
}
