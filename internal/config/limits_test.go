package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	cfg, err := Parse([]byte("limits: {connects_per_minute: 0}"), "", []string{"VITRINE_LIMITS_REQUESTS_PER_MINUTE=77"})
	require.NoError(t, err)
	require.Equal(t, Limits{RequestsPerMinute: 77, ConnectsPerMinute: 0, SourceConnectsPerMinute: 120}, cfg.Limits)
	for yaml, complaint := range map[string]string{
		"limits: {connects_per_minute: -1}":           "limits.connects_per_minute: -1 is not between",
		"limits: {requests_per_minute: 2000000}":      "limits.requests_per_minute: 2000000 is not between",
		"limits: {source_connects_per_minute: often}": "must be a whole number",
		"limits: {connects: 1}":                       "unknown key \"limits.connects\"",
	} {
		_, err := Parse([]byte(yaml), "", nil)
		require.ErrorContains(t, err, complaint, yaml)
	}
}
