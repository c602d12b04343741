package ondemand

import "github.com/fstore-dev/fstore/ondemand/vector"

// costOfList is the cost of work on a whole list, which may have 4,096 elements.
const costOfList = 100

// elementTypes are the types of list elements.
var elementTypes = []valueType{boolType, intType, floatType, textType, bytesType, timeType}

func listTable() []*function {
	all := []*function{
		{
			name: "size", about: "How many elements a list has.", takes: []string{"size(xs list<T>) int64"},
			forms:    perElement(10, "size(xs list<T>) int64", func(valueType) vector.Kernel { return vector.Size }),
			examples: []example{{"size([1, 2])", "2"}},
		},
		reduction("sum", "The sum, in order from the first element to the last. The sum of no elements is 0.", vector.Reduce(vector.Sum),
			example{"sum([1.5, 2])", "3.5"}, example{"sum([1e16, 1.0, -1e16])", "0.0"}),
		mean(),
		reduction("norm", "The square root of the sum of squares.", vector.Reduce(vector.Norm), example{"norm([3.0, 4])", "5.0"}),
		pairwise("dot", "The sum of the products of the elements, in order.", vector.ReduceTwo(vector.Dot),
			example{"dot([1.0, 2], [3.0, 4])", "11.0"}, example{"dot([1.0], [3.0, 4])", "null"}),
		pairwise("cosine", "dot divided by the product of the norms. NaN if a norm is 0.", vector.ReduceTwo(vector.Cosine),
			example{"cosine([1.0, 0], [1.0, 0])", "1.0"}, example{"cosine([0.0], [1.0])", "NaN"}),
	}
	for _, f := range all {
		f.group = listGroup
	}
	return all
}

// listOperators returns the operators on lists.
func listOperators() []*function {
	in := &function{
		name:     "in",
		about:    "Whether an element equals x.",
		nulls:    "true if an element equals x, else null if x or an element is null, else false",
		takes:    []string{"T in [T, ...]", "T in list<T>"},
		forms:    perElement(costOfList, "in(x T, xs list<T>) bool", func(t valueType) vector.Kernel { return vector.Contains(storageOf(t)) }),
		examples: []example{{"2 in [1, 2]", "true"}, {"2 in [1, 1 / 0]", "null"}, {"2 in [2, 1 / 0]", "true"}, {"'b' in split('a,b', ',')", "true"}},
	}
	index := &function{
		name:  "[]",
		about: "The element at a position, from 0. `[x, y]` makes a list; it is null if an element is.", errors: "there is no such element",
		takes: []string{"list<T>[int64]"}, forms: perElement(10, "[](xs list<T>, i int64) T", indexKernel),
		examples: []example{{"split('a,b', ',')[1]", "'b'"}, {"[1, 2][2]", "null"}, {"[1.5, 2]", "[1.5, 2.0]"}},
	}
	return []*function{in, index}
}

func indexKernel(t valueType) vector.Kernel {
	switch storageOf(t) {
	case vector.InBools:
		return vector.Index(vector.Bools, (*vector.Vector).BoolsFor)
	case vector.InFloats:
		return vector.Index(vector.Floats, (*vector.Vector).FloatsFor)
	case vector.InTexts:
		return vector.Index(vector.Texts, (*vector.Vector).TextsFor)
	case vector.InBytes:
		return vector.Index(func(v *vector.Vector) [][]byte { return v.Bytes }, (*vector.Vector).BytesFor)
	default:
		return vector.Index(vector.Ints, (*vector.Vector).IntsFor)
	}
}

// perElement makes a form for each type T of elements.
func perElement(cost int, signature string, kernel func(valueType) vector.Kernel) []*form {
	var forms []*form
	for _, t := range elementTypes {
		f := sig(signature, kernel(t)).costing(cost)
		for i := range f.params {
			switch f.params[i].typ {
			case noType:
				f.params[i].typ = t
			case listOf:
				f.params[i].typ = t | listOf
			default:
			}
		}
		if f.result == noType {
			f.result = t
		}
		forms = append(forms, f)
	}
	return forms
}

func reduction(name, about string, kernel vector.Kernel, examples ...example) *function {
	return &function{
		name: name, about: about, examples: examples,
		forms: []*form{sig(name+"(xs list<float64>) float64", kernel).costing(costOfList)},
	}
}

func mean() *function {
	f := reduction("mean", "sum divided by size.", vector.ReduceSome(vector.Mean), example{"mean([1.0, 2])", "1.5"})
	f.nulls = "operand; an empty list"
	return f
}

func pairwise(name, about string, kernel vector.Kernel, examples ...example) *function {
	f := &function{name: name, about: about, examples: examples, errors: "the lists have different lengths"}
	f.forms = []*form{sig(name+"(xs list<float64>, ys list<float64>) float64", kernel).costing(costOfList)}
	return f
}
