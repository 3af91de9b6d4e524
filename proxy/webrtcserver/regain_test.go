package webrtcserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRegainer(t *testing.T) {
	const m = 1e6
	type step struct {
		after    time.Duration // since the step before
		estimate float64
		calm     bool
		want     float64
	}
	for _, c := range []struct {
		what  string
		steps []step
	}{
		{"it rises with the estimate", []step{{0, 21 * m, true, 21 * m}, {time.Second, 25 * m, true, 25 * m}}},
		{"an estimate that falls though nothing is wrong", []step{{0, 20 * m, true, 20 * m}, {time.Second, 0.1 * m, true, 20 * m}, {time.Hour, 0.1 * m, true, 20 * m}}},
		{"congestion is believed at once", []step{{0, 20 * m, true, 20 * m}, {time.Second, 2 * m, false, 2 * m}, {time.Second, m, false, m}}},
		{"what a single delay took is soon there again", []step{
			{0, 20 * m, true, 20 * m},
			{time.Second, 0.1 * m, false, 0.1 * m},
			{100 * time.Millisecond, 0.1 * m, true, 0.1 * m},
			{900 * time.Millisecond, 0.1 * m, true, 0.1 * m}, // not yet a second
			{time.Second, 0.1 * m, true, 0.2 * m},
			{time.Second, 0.1 * m, true, 0.4 * m},
			{500 * time.Millisecond, 0.1 * m, true, 0.4 * 1.4142135623730951 * m},
			{time.Hour, 0.1 * m, true, 0.8 * 1.4142135623730951 * m}, // a pause is not an experience
		}},
		{"one congestion in two parts", []step{
			{0, 20 * m, true, 20 * m},
			{time.Second, 2 * m, false, 2 * m},
			{500 * time.Millisecond, 2 * m, true, 2 * m},
			{500 * time.Millisecond, m, false, m},
			{time.Second, m, true, m},
			{time.Second, m, true, 2 * m},
			{time.Second, m, true, 4 * m},
			{time.Second, m, true, 8 * m},
			{time.Second, m, true, 10 * m},
			{time.Second, m, true, 10 * m},
		}},
		{"up to half of what it was", []step{
			{0, 8 * m, true, 8 * m},
			{time.Second, 3 * m, false, 3 * m},
			{time.Second, 3 * m, true, 3 * m},
			{time.Second, 3 * m, true, 4 * m},
			{time.Second, 3 * m, true, 4 * m},
			{time.Second, 5 * m, true, 5 * m},
		}},
		{"a try that fails lowers the aim", []step{
			{0, 20 * m, true, 20 * m},
			{time.Second, m, false, m},
			{time.Second, m, true, m},
			{time.Second, m, true, 2 * m},
			{time.Second, 0.9 * m, false, 0.9 * m},
			{100 * time.Millisecond, 0.9 * m, true, 0.9 * m},
			{time.Second, 0.9 * m, true, m},
			{time.Second, 0.9 * m, true, m},
		}},
		{"congestion that the estimate does not follow", []step{{0, 5 * m, true, 5 * m}, {time.Second, 6 * m, false, 6 * m}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := regainer{rate: 20 * m}
			if c.steps[0].estimate < r.rate {
				r.rate = c.steps[0].estimate
			}
			now := time.Unix(1000, 0)
			for i, s := range c.steps {
				now = now.Add(s.after)
				got := r.update(now, s.estimate, s.calm)
				require.InEpsilon(t, s.want, got, 1e-6, "step %d", i)
			}
		})
	}
}
