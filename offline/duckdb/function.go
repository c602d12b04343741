package duckdb

/*
void fstoreCall(void *, void *, void *);
typedef void (*fstore_call_t)(void *, void *, void *);

void fstoreRelease(void *);
typedef void (*fstore_release_t)(void *);
*/
import "C"

import (
	"fmt"
	"runtime"
	"runtime/cgo"
	"strconv"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/fstore-dev/fstore"
)

// Function is a function that SQL may call, with several columns as its result. A query calls it for all of its rows, once
// each, some at a time: in any order, and from several threads at once.
type Function struct {
	Name  string
	Takes []fstore.Type
	Gives []fstore.Type // the columns of the result: a STRUCT with the fields c0, c1…
	// Call computes rows. The columns that it gets are its own, with nulls where the query has nulls. It returns columns of
	// the types in Gives. An error ends the query.
	Call func(rows int, args []fstore.Column) ([]fstore.Column, error)
}

// registered is a function that DuckDB has, until it calls fstoreRelease.
type registered struct {
	*Function
	pin runtime.Pinner // of the handle, to which DuckDB has a pointer
}

// Define lets the database's queries call a function, which stays until the database is closed.
func (c *Conn) Define(f *Function) error {
	defined := mapping.CreateScalarFunction()
	defer mapping.DestroyScalarFunction(&defined)
	mapping.ScalarFunctionSetName(defined, f.Name)
	for _, t := range f.Takes {
		of := logicalType(t)
		mapping.ScalarFunctionAddParameter(defined, of)
		mapping.DestroyLogicalType(&of)
	}
	fields, names := make([]mapping.LogicalType, len(f.Gives)), make([]string, len(f.Gives))
	for i, t := range f.Gives {
		fields[i], names[i] = logicalType(t), "c"+strconv.Itoa(i)
	}
	result := mapping.CreateStructType(fields, names)
	mapping.ScalarFunctionSetReturnType(defined, result)
	mapping.DestroyLogicalType(&result)
	for i := range fields {
		mapping.DestroyLogicalType(&fields[i])
	}
	mapping.ScalarFunctionSetSpecialHandling(defined) // called for nulls too
	mapping.ScalarFunctionSetVolatile(defined)        // called once for each row, whatever the optimizer knows of its arguments
	r, handle := &registered{Function: f}, new(cgo.Handle)
	*handle = cgo.NewHandle(r)
	r.pin.Pin(handle)
	mapping.ScalarFunctionSetExtraInfo(defined, unsafe.Pointer(handle), unsafe.Pointer(C.fstore_release_t(C.fstoreRelease)))
	mapping.ScalarFunctionSetFunction(defined, unsafe.Pointer(C.fstore_call_t(C.fstoreCall)))
	if mapping.RegisterScalarFunction(c.conn, defined) != mapping.StateSuccess {
		return fstore.Errorf(fstore.ErrUnavailable, "define the function %s", f.Name)
	}
	return nil
}

//export fstoreRelease
func fstoreRelease(info unsafe.Pointer) {
	handle := (*cgo.Handle)(info)
	r := handle.Value().(*registered)
	handle.Delete()
	r.pin.Unpin()
}

//export fstoreCall
func fstoreCall(info, input, output unsafe.Pointer) {
	call := mapping.FunctionInfo{Ptr: info}
	r := (*cgo.Handle)(mapping.ScalarFunctionGetExtraInfo(call)).Value().(*registered)
	if err := r.call(mapping.DataChunk{Ptr: input}, mapping.Vector{Ptr: output}); err != nil {
		mapping.ScalarFunctionSetError(call, err.Error())
	}
}

// call computes a chunk. A panic must not reach DuckDB's frames, so it becomes an error.
func (f *Function) call(input mapping.DataChunk, output mapping.Vector) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the function %s panicked: %v", f.Name, v)
		}
	}()
	rows := int(mapping.DataChunkGetSize(input))
	args := make([]fstore.Column, len(f.Takes))
	for i, t := range f.Takes {
		args[i] = readVector("", t, mapping.DataChunkGetVector(input, mapping.IdxT(i)), rows)
	}
	out, err := f.Call(rows, args)
	if err != nil {
		return err
	}
	for i := range f.Gives {
		if err := writeVector(mapping.StructVectorGetChild(output, mapping.IdxT(i)), &out[i], 0, rows); err != nil {
			return err
		}
	}
	return nil
}
