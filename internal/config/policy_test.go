package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPolicy(t *testing.T) {
	parse := func(text string) *Config {
		c, err := Parse([]byte(text), "", nil)
		require.NoError(t, err)
		return c
	}
	c := parse("{}")
	require.Equal(t, time.Local, c.Policy.Zone())
	require.Equal(t, time.Minute, c.Session.EndWarning)
	c = parse("policy: {time_zone: Europe/Berlin}\nsession: {end_warning: 0s}")
	require.Equal(t, "Europe/Berlin", c.Policy.Zone().String())
	require.Zero(t, c.Session.EndWarning)
	for text, want := range map[string]string{
		"policy: {time_zone: Europe/Atlantis}": `policy.time_zone: "Europe/Atlantis" is not a time zone`,
		"session: {end_warning: 1h}":           "session.end_warning: 1h0m0s is not between",
		"session: {end_warning: -1s}":          "session.end_warning: -1s is not between",
	} {
		_, err := Parse([]byte(text), "", nil)
		require.ErrorContains(t, err, want)
	}
}
