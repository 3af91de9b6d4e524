package rules

import (
	"context"
	"time"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
)

// Found is a hit at a moment of a recording.
type Found struct {
	US   int64 // on the recording's clock
	Told bool  // an alert of the rule is in the recording, thereabouts
	detect.Hit
}

// Trial is what rules find in a recording.
type Trial struct {
	Info recording.SessionInfo
	Hits []Found
	More bool // there were more than are told
}

// Try lets rules see what a recording holds, as the session did. At most limit hits are kept; 0: all.
func Try(ctx context.Context, rec *recording.Recording, set *detect.Set, limit int) (t Trial, err error) {
	if t.Info, err = rec.Session(ctx); err != nil {
		return t, err
	}
	detector := detect.New(detect.Options{Rules: set, Windows: t.Info.Target.Protocol == "rdp"})
	at, told := int64(0), map[string][]int64{}
	take := func(hits []detect.Hit) {
		for _, h := range hits {
			if limit > 0 && len(t.Hits) == limit {
				t.More = true
				return
			}
			t.Hits = append(t.Hits, Found{US: at, Hit: h})
		}
	}
	for _, file := range rec.EventFiles() {
		err := rec.EachEvent(ctx, file.Name, func(us int64, kind string, line []byte) error {
			at = us
			if !heard[kind] {
				return nil
			}
			_, e, err := recording.DecodeEvent(line)
			if err != nil || e == nil {
				return err
			}
			if a, ok := e.(recording.AlertEvent); ok {
				told[a.Rule] = append(told[a.Rule], us)
				return nil
			}
			take(detector.Feed(us, e).Hits)
			return ctx.Err()
		})
		if err != nil {
			return t, err
		}
	}
	take(detector.Finish().Hits)
	for i := range t.Hits {
		f := &t.Hits[i]
		for _, us := range told[f.Rule.ID] {
			if d := time.Duration(us-f.US) * time.Microsecond; d.Abs() <= toldWithin {
				f.Told = true
			}
		}
	}
	return t, nil
}

// heard are the kinds of events that matter here: decoding the others is what would take the time.
var heard = map[string]bool{
	"key": true, "text": true, "pointer": true, "clipboard": true, "control": true, "justification": true, "name": true, "title": true,
	"screen": true, "alert": true,
}
