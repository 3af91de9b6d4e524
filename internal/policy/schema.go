package policy

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	schemaast "github.com/cedar-policy/cedar-go/x/exp/schema/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// SchemaText is the schema as it is written.
//
//go:embed schema.cedarschema
var SchemaText string

// Types of entities, as the schema names them.
const (
	typeAction    types.EntityType = "Action"
	typeUser      types.EntityType = "User"
	typeRole      types.EntityType = "Role"
	typeGroup     types.EntityType = "Group"
	typeTag       types.EntityType = "Tag"
	typeTarget    types.EntityType = "Target"
	typeAccount   types.EntityType = "Account"
	typeSession   types.EntityType = "Session"
	typeRecording types.EntityType = "Recording"
	typeRequest   types.EntityType = "AccessRequest"
	typeGateway   types.EntityType = "Gateway"
)

// vocabulary is the schema, read once.
type vocabulary struct {
	ast       *schemaast.Schema
	resolved  *resolved.Schema
	validator *validate.Validator
	// actions are the actions as entities, with the groups they are in.
	actions map[types.EntityUID]types.Entity
	// members are the actions of a group and, of every action, itself.
	members map[types.EntityUID][]Action
}

// words reads the schema. It is part of the program: one that cannot be read is a bug, which every test would find.
var words = sync.OnceValue(func() *vocabulary {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar([]byte(SchemaText)); err != nil {
		panic("policy: schema: " + err.Error())
	}
	r, err := s.Resolve()
	if err != nil {
		panic("policy: schema: " + err.Error())
	}
	v := &vocabulary{
		ast: s.AST(), resolved: r, validator: validate.New(r),
		actions: map[types.EntityUID]types.Entity{}, members: map[types.EntityUID][]Action{},
	}
	for uid, a := range r.Actions {
		v.actions[uid] = a.Entity
	}
	for _, a := range All() {
		uid := actionUID(a)
		if _, ok := v.actions[uid]; !ok {
			panic("policy: the schema lacks the action " + string(a))
		}
		v.members[uid] = append(v.members[uid], a)
		for group := range v.actions[uid].Parents.All() {
			v.members[group] = append(v.members[group], a)
		}
	}
	return v
})

func actionUID(a Action) types.EntityUID { return types.NewEntityUID(typeAction, types.String(a)) }

// Reference describes what policies may name, from the schema's own comments.
type Reference struct {
	Entities []ReferenceEntity
	Actions  []ReferenceAction
	Context  []ReferenceAttribute
	// Obligations are the annotations of permits that oblige, by name.
	Obligations []ReferenceObligation
}

// ReferenceObligation is an annotation that obliges.
type ReferenceObligation struct{ Name, About string }

// ReferenceEntity is a type of entity.
type ReferenceEntity struct {
	Name       string
	About      string
	In         []string // types it may be in
	IDs        []string // when only these exist
	Attributes []ReferenceAttribute
}

// ReferenceAction is an action, or a group of them when it has no Resources.
type ReferenceAction struct {
	Name      string
	About     string
	In        []string
	Resources []string // types of what it is done to
}

// ReferenceAttribute is an attribute. Of an optional one policies ask with `has` first.
type ReferenceAttribute struct {
	Name     string
	Type     string
	Optional bool
	About    string
}

// Describe returns the schema as a reference for people, sorted by name; actions in the order of All, groups last.
func Describe() Reference {
	v := words()
	var out Reference
	for _, name := range slices.Sorted(maps.Keys(v.ast.Entities)) {
		e := v.ast.Entities[name]
		entity := ReferenceEntity{Name: string(name), About: doc(e.Annotations), Attributes: attributes(v.resolved.Entities[types.EntityType(name)].Shape)}
		for _, parent := range e.ParentTypes {
			entity.In = append(entity.In, string(parent))
		}
		out.Entities = append(out.Entities, entity)
	}
	for _, name := range slices.Sorted(maps.Keys(v.ast.Enums)) {
		e := v.ast.Enums[name]
		entity := ReferenceEntity{Name: string(name), About: doc(e.Annotations)}
		for _, id := range e.Values {
			entity.IDs = append(entity.IDs, string(id))
		}
		out.Entities = append(out.Entities, entity)
	}
	slices.SortFunc(out.Entities, func(a, b ReferenceEntity) int { return strings.Compare(a.Name, b.Name) })
	for name, a := range v.ast.Actions {
		action := ReferenceAction{Name: string(name), About: doc(a.Annotations)}
		for _, parent := range a.Parents {
			action.In = append(action.In, string(parent.ID))
		}
		if a.AppliesTo != nil {
			for _, r := range a.AppliesTo.Resources {
				action.Resources = append(action.Resources, string(r))
			}
		}
		out.Actions = append(out.Actions, action)
	}
	order := func(a ReferenceAction) int {
		if i := slices.Index(All(), Action(a.Name)); i >= 0 {
			return i
		}
		return len(All())
	}
	slices.SortFunc(out.Actions, func(a, b ReferenceAction) int {
		if d := order(a) - order(b); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, name := range slices.Sorted(maps.Keys(obligations)) {
		out.Obligations = append(out.Obligations, ReferenceObligation{Name: name, About: obligations[name].about})
	}
	out.Context = attributes(v.resolved.Actions[actionUID(Connect)].AppliesTo.Context)
	return out
}

func doc(a schemaast.Annotations) string { return string(a["doc"]) }

func attributes(shape resolved.RecordType) []ReferenceAttribute {
	var out []ReferenceAttribute
	for _, name := range slices.Sorted(maps.Keys(shape)) {
		a := shape[name]
		out = append(out, ReferenceAttribute{
			Name: string(name), Type: typeName(a.Type), Optional: a.Optional, About: string(a.Annotations["doc"]),
		})
	}
	return out
}

func typeName(t resolved.IsType) string {
	switch t := t.(type) {
	case resolved.StringType:
		return "String"
	case resolved.LongType:
		return "Long"
	case resolved.BoolType:
		return "Bool"
	case resolved.ExtensionType:
		return string(t)
	case resolved.EntityType:
		return string(t)
	case resolved.SetType:
		return "Set<" + typeName(t.Element) + ">"
	}
	return "Record"
}
