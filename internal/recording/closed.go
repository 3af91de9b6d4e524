package recording

// Closed tells whether a file of the recording will never change again, so that whoever has read it may keep it.
func (r *Recording) Closed(name string) bool {
	_, ok := r.entry(name)
	return ok || name == manifestFile && r.manifest != nil || name == signatureFile && r.stored
}
