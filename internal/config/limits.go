package config

// Limits are how often a minute something may be asked for; 0 is no limit. Signing in has limits of its own.
type Limits struct {
	RequestsPerMinute       int `yaml:"requests_per_minute"`        // to the API, of one person
	ConnectsPerMinute       int `yaml:"connects_per_minute"`        // new sessions of one person
	SourceConnectsPerMinute int `yaml:"source_connects_per_minute"` // new sessions from one address
}

// maxPerMinute bounds limits: what is higher means none, which 0 says more clearly.
const maxPerMinute = 1_000_000

func (v *validator) limits(l *Limits) {
	v.between("limits.requests_per_minute", int64(l.RequestsPerMinute), 0, maxPerMinute)
	v.between("limits.connects_per_minute", int64(l.ConnectsPerMinute), 0, maxPerMinute)
	v.between("limits.source_connects_per_minute", int64(l.SourceConnectsPerMinute), 0, maxPerMinute)
}
