package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDetection(t *testing.T) {
	c, err := Parse([]byte("data_dir: /d"), "", nil)
	require.NoError(t, err)
	asking := Justification{5 * time.Minute, "refuse"}
	require.Equal(t, Detection{Enabled: true, Alerts: Retention(365 * 24 * time.Hour), Justification: asking}, c.Detection)
	c, err = Parse([]byte("detection: {enabled: false, rules_file: r.yaml, alerts: 30d, actions: [{rule: linux-logs, action: terminate}]}"), "/etc/v", nil)
	require.NoError(t, err)
	require.Equal(t, Detection{RulesFile: "/etc/v/r.yaml", Alerts: Retention(30 * 24 * time.Hour), Actions: []RuleAction{{"linux-logs", "terminate"}}, Justification: asking}, c.Detection)
	c, err = Parse([]byte("detection: {justification: {timeout: 0s, unanswered: freeze}}"), "", nil)
	require.NoError(t, err)
	require.Equal(t, Justification{0, "freeze"}, c.Detection.Justification)
	for yaml, complaint := range map[string]string{"{timeout: 1s}": "timeout", "{timeout: 48h}": "timeout", "{unanswered: shrug}": "shrug"} {
		_, err := Parse([]byte("detection: {justification: "+yaml+"}"), "", nil)
		require.ErrorContains(t, err, "detection.justification")
		require.ErrorContains(t, err, complaint)
	}
	for yaml, complaint := range map[string]string{
		"[{rule: a, action: shout}]":                               "shout",
		"[{rule: A b, action: alert}]":                             "no id of a rule",
		"[{rule: a, action: alert}, {rule: a, action: terminate}]": "twice",
	} {
		_, err := Parse([]byte("detection: {actions: "+yaml+"}"), "", nil)
		require.ErrorContains(t, err, "detection.actions")
		require.ErrorContains(t, err, complaint)
	}
}
