package config

import (
	"time"
	_ "time/tzdata" // for machines without a list of time zones
)

// Policy is how policies are read. The policies themselves are in the database.
type Policy struct {
	// TimeZone is the time zone of the hours and weekdays in policies, as in the IANA list; empty: the machine's.
	TimeZone string `yaml:"time_zone"`
}

// Zone returns the time zone. After validation there is one.
func (p *Policy) Zone() *time.Location {
	if p.TimeZone == "" {
		return time.Local
	}
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil {
		return time.Local
	}
	return zone
}

// maxEndWarning bounds session.end_warning: for so long a session goes on that nothing allows any more.
const maxEndWarning = 15 * time.Minute

func (v *validator) policy(c *Config) {
	if _, err := time.LoadLocation(c.Policy.TimeZone); err != nil {
		v.fail("policy.time_zone", "%q is not a time zone such as Europe/Berlin", c.Policy.TimeZone)
	}
	if d := c.Session.EndWarning; d < 0 || d > maxEndWarning {
		v.fail("session.end_warning", "%v is not between 0s and %v", d, maxEndWarning)
	}
}
