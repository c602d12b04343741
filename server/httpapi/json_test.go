package httpapi

import (
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server/servertest"
)

func TestTextThatNoClientCanReadIsCorrupt(t *testing.T) {
	c := fstore.NewColumn("name", fstore.String, 2)
	c.Append("fine")
	c.Append("\xff\xfe")
	_, err := appendAnswerJSON(nil, nil, &fstore.FeatureList{}, &online.Answer{Rows: 2, Features: []online.AnswerFeature{{Column: c}}}, 0)
	servertest.WantRefusal(t, err, fstore.ErrCorrupt, "feature name: string 2 is not UTF-8")
}
