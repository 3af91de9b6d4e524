package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/detect"
	"github.com/vitrine-psm/vitrine/internal/recording"
	"github.com/vitrine-psm/vitrine/internal/worker/workerpb"
)

func TestAlertsAreNotBelieved(t *testing.T) {
	good := func() *workerpb.Alert {
		return &workerpb.Alert{Rule: "r", Name: "R", Severity: "high", Action: "freeze", Source: "typed", Count: 1 << 31, Excerpt: strings.Repeat("x", 2*maxTextBytes)}
	}
	a, ok := alertIn(good())
	require.True(t, ok)
	require.Len(t, a.Excerpt, maxTextBytes)
	require.Equal(t, 1<<30, a.Count)
	for _, spoil := range []func(a *workerpb.Alert){
		func(a *workerpb.Alert) { a.Rule = "" },
		func(a *workerpb.Alert) { a.Severity = "worst" },
		func(a *workerpb.Alert) { a.Action = "" },
		func(a *workerpb.Alert) { a.Source = "radio" },
	} {
		bad := good()
		spoil(bad)
		_, ok := alertIn(bad)
		require.False(t, ok, "%v", bad)
	}
}

func TestJustificationsAreNotBelieved(t *testing.T) {
	j, ok := justificationIn(&workerpb.Justification{Rule: "r", Answer: "given", Text: strings.Repeat("x", 2*maxTextBytes), Released: true})
	require.True(t, ok)
	require.Len(t, j.Text, maxTextBytes)
	for _, bad := range []*workerpb.Justification{{Answer: "given"}, {Rule: "r"}, {Rule: "r", Answer: "perhaps"}} {
		_, ok := justificationIn(bad)
		require.False(t, ok, "%v", bad)
	}
	q := &workerpb.Question{Id: "q"}
	for range 2 * maxAskedRules {
		q.Rules = append(q.Rules, &workerpb.AskedRule{Name: "n"})
	}
	require.Len(t, questionIn(q).Rules, maxAskedRules)
	require.Zero(t, questionIn(q).Deadline)
}

func TestDetectionOfRequest(t *testing.T) {
	request := func(rules, keys string) *workerpb.StartRequest {
		return &workerpb.StartRequest{Detection: []byte(rules), Recording: &workerpb.RecordingOptions{Keys: keys}, Target: &workerpb.Target{Protocol: "rdp"}}
	}
	const one = `{"rules":[{"id":"a","name":"A","severity":"low","action":"alert","sources":["typed"],"any":["^x"]}]}`
	d, err := detection(request("", "full"), time.Now(), newFeed())
	require.NoError(t, err)
	require.Zero(t, d.Rules.Len())
	for keys, secret := range map[string]bool{"full": false, "commands": true, "none": true} {
		d, err = detection(request(one, keys), time.Now(), newFeed())
		require.NoError(t, err)
		require.Equal(t, 1, d.Rules.Len())
		require.True(t, d.Windows)
		require.Equal(t, secret, d.Secret, keys)
	}
	for _, bad := range []string{"{", strings.Replace(one, "^x", "(", 1)} {
		_, err = detection(request(bad, "full"), time.Now(), newFeed())
		require.ErrorContains(t, err, "rules of detection")
	}
}

// A serve that does not listen costs no more than what is bounded; the oldest alerts are forgotten, and the rest told in order.
func TestFeedOfAlerts(t *testing.T) {
	f := newFeed()
	for i := range maxFeedAlerts + 3 {
		f.alert(recording.AlertEvent{Rule: "r", Severity: string(detect.Low), Count: i}, time.Second)
	}
	events, _ := f.take()
	require.Len(t, events, maxFeedAlerts)
	require.EqualValues(t, 3, events[0].GetAlert().GetCount())
	events, _ = f.take()
	require.Empty(t, events)
}
