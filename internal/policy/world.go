package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// world is what one decision is made in. It holds the few entities the decision is about, whatever else the gateway
// knows: the person, the resource, its target and account, the action.
type world struct {
	query    *Query
	zone     *time.Location
	resource types.EntityUID
	entities [5]types.Entity
	n        int
	who      []types.EntityUID // the person and all they are in
	what     []types.EntityUID // the resource and all it is in
}

func newWorld(q *Query, zone *time.Location) *world {
	w := &world{query: q, zone: zone}
	groups := make([]types.EntityUID, 1, 1+len(q.Subject.Roles)+len(q.Subject.Groups))
	groups[0] = userUID(q.Subject.ID)
	for _, r := range q.Subject.Roles {
		groups = append(groups, types.NewEntityUID(typeRole, types.String(r)))
	}
	for _, g := range q.Subject.Groups {
		groups = append(groups, types.NewEntityUID(typeGroup, types.String(g)))
	}
	w.who = groups
	person := types.Entity{UID: groups[0], Parents: types.NewEntityUIDSet(groups[1:]...)}
	if q.Subject.Name != "" {
		person.Attributes = types.NewRecord(types.RecordMap{"name": types.String(q.Subject.Name)})
	}
	w.add(person)
	w.add(words().actions[actionUID(q.Action)])

	r := q.Resource
	var around []types.EntityUID
	if r.Target != "" {
		target := types.NewEntityUID(typeTarget, types.String(r.Target))
		tags := make([]types.EntityUID, len(r.Tags))
		for i, tag := range r.Tags {
			tags[i] = types.NewEntityUID(typeTag, types.String(tag))
		}
		w.add(types.Entity{UID: target, Parents: types.NewEntityUIDSet(tags...)})
		around = append(around, target)
		w.what = append(w.what, target)
		w.what = append(w.what, tags...)
		if r.Account != "" {
			account := types.NewEntityUID(typeAccount, types.String(r.Target+"/"+r.Account))
			w.add(types.Entity{UID: account, Parents: types.NewEntityUIDSet(target)})
			around = append(around, account)
			w.what = append(w.what, account)
		}
	}
	switch r.Kind {
	case KindTarget:
		if len(around) > 0 {
			w.resource = around[len(around)-1] // in what already
			return w
		}
		w.resource = types.NewEntityUID(typeTarget, types.String(r.ID))
	case KindSession:
		w.resource = w.owned(typeSession, around)
	case KindRecording:
		w.resource = w.owned(typeRecording, around)
	case KindRequest:
		w.resource = w.owned(typeRequest, around)
	case KindUser:
		w.resource = userUID(r.ID)
	default:
		w.resource = gatewayUID
	}
	w.what = append(w.what, w.resource)
	return w
}

// concerns tells whether the scope of a statement can hold. It is a quick look that spares the evaluation of the many
// statements about other people and other targets.
func (w *world) concerns(st *Statement) bool {
	return (st.who == types.EntityUID{} || slices.Contains(w.who, st.who)) &&
		(st.what == types.EntityUID{} || slices.Contains(w.what, st.what))
}

// gatewayUID is the one gateway.
var gatewayUID = types.NewEntityUID(typeGateway, "vitrine")

func userUID(id string) types.EntityUID { return types.NewEntityUID(typeUser, types.String(id)) }

func (w *world) add(e types.Entity) {
	w.entities[w.n] = e
	w.n++
}

// owned adds the resource as something that is somebody's.
func (w *world) owned(kind types.EntityType, around []types.EntityUID) types.EntityUID {
	uid := types.NewEntityUID(kind, types.String(w.query.Resource.ID))
	w.add(types.Entity{
		UID: uid, Parents: types.NewEntityUIDSet(around...),
		Attributes: types.NewRecord(types.RecordMap{"owner": userUID(w.query.Resource.Owner)}),
	})
	return uid
}

// Get implements types.EntityGetter.
func (w *world) Get(uid types.EntityUID) (types.Entity, bool) {
	for i := range w.n {
		if w.entities[i].UID == uid {
			return w.entities[i], true
		}
	}
	return types.Entity{}, false
}

func (w *world) request() cedar.Request {
	return cedar.Request{
		Principal: userUID(w.query.Subject.ID), Action: actionUID(w.query.Action), Resource: w.resource, Context: w.context(),
	}
}

// context is what is known of the moment, as the schema describes it.
func (w *world) context() types.Record {
	c, r := w.query.Circumstances, w.query.Resource
	now := c.Time.In(w.zone)
	tags := make([]types.Value, len(r.Tags))
	for i, tag := range r.Tags {
		tags[i] = types.String(tag)
	}
	m := types.RecordMap{
		"time":       types.Long(now.Unix()),
		"minutes":    types.Long(now.Hour()*60 + now.Minute()),
		"weekday":    types.String(strings.ToLower(now.Weekday().String()[:3])),
		"tags":       types.NewSet(tags...),
		"approved":   types.Boolean(c.Approved),
		"concurrent": types.Long(c.Concurrent),
	}
	if c.Source.IsValid() {
		addr := c.Source.Unmap().WithZone("")
		m["source"] = types.IPAddr(netip.PrefixFrom(addr, addr.BitLen()))
	}
	// A proof from the future, by a clock that was put back, is worth nothing.
	if at := w.query.Subject.MFAAt; !at.IsZero() && !at.After(c.Time) {
		m["mfa_age"] = types.Long(c.Time.Sub(at) / time.Second)
	}
	for name, value := range map[string]string{"ticket": c.Ticket, "target": r.Target, "account": r.Account} {
		if value != "" {
			m[types.String(name)] = types.String(value)
		}
	}
	return types.NewRecord(m)
}
