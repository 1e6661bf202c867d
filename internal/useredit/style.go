package useredit

import (
	"bytes"
	"fmt"

	"github.com/tailscale/hujson"
)

// style is the white space of an object.
type style struct {
	first, between hujson.Extra // before the first member, and before the others
	value          hujson.Extra // before a value
	end            hujson.Extra // before the closing brace
}

// styleOf is the style of an object that has a member.
func styleOf(o *hujson.Object) style {
	first := o.Members[0]
	s := style{first: first.Name.BeforeExtra, between: first.Name.BeforeExtra, value: first.Value.BeforeExtra, end: o.AfterExtra}
	switch {
	case len(o.Members) > 1:
		s.between = o.Members[1].Name.BeforeExtra
	case !bytes.Contains(s.first, []byte("\n")):
		s.between = s.value // a blank or none
	}
	return s
}

// appendEntry adds an entry to the list, in the style of the last one.
func (o *object) appendEntry(members []Member) error {
	array := o.array()
	if array == nil {
		array = o.newList()
	}
	before, like := o.styleOfNext(array)
	entry := &hujson.Object{AfterExtra: like.end}
	for i, m := range members {
		value, err := parseValue(m.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		member := hujson.ObjectMember{
			Name:  hujson.Value{BeforeExtra: like.between, Value: hujson.String(m.Name)},
			Value: hujson.Value{BeforeExtra: like.value, Value: value},
		}
		if i == 0 {
			member.Name.BeforeExtra = like.first
		}
		entry.Members = append(entry.Members, member)
	}
	array.Elements = append(array.Elements, hujson.Value{BeforeExtra: before, Value: entry})
	return nil
}

// newList adds the list to a file that has none.
func (o *object) newList() *hujson.Array {
	root := o.file.Value.(*hujson.Object)
	array := new(hujson.Array)
	m := hujson.ObjectMember{Name: hujson.Value{Value: hujson.String(string(o.list))}, Value: hujson.Value{Value: array}}
	if len(root.Members) > 0 {
		like := styleOf(root)
		m.Name.BeforeExtra, m.Value.BeforeExtra = like.between, like.value
	} else {
		m.Name.BeforeExtra, m.Value.BeforeExtra = hujson.Extra("\n  "), hujson.Extra(" ")
		root.AfterExtra = hujson.Extra("\n")
	}
	root.Members = append(root.Members, m)
	return array
}

// styleOfNext is the white space before the next entry of a list, and within it.
func (o *object) styleOfNext(array *hujson.Array) (before hujson.Extra, like style) {
	root := styleOf(o.file.Value.(*hujson.Object))
	if last := len(array.Elements) - 1; last >= 0 {
		before = array.Elements[last].BeforeExtra
		if last == 0 && !bytes.Contains(before, []byte("\n")) {
			before = root.value
		}
		if entry, ok := array.Elements[last].Value.(*hujson.Object); ok && len(entry.Members) > 0 {
			return before, styleOf(entry)
		}
	}
	line := bytes.LastIndexByte(root.first, '\n')
	if line < 0 { // all of the file is one line
		return before, style{between: root.value, value: root.value}
	}
	step := root.first[line+1:]
	deeper := func(levels int) hujson.Extra {
		return append(bytes.Clone(root.first), bytes.Repeat(step, levels)...)
	}
	if before == nil {
		before, array.AfterExtra = deeper(1), deeper(0)
	}
	return before, style{first: deeper(2), between: deeper(2), value: root.value, end: deeper(1)}
}
