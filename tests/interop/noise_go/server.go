package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/flynn/noise"
	"golang.org/x/crypto/chacha20poly1305"
)

// A session holds the keys of a ticket; the client's ticket is its number.
type session struct{ calls, answers []byte }

// serve answers hellos and calls until the standard input ends. A call returns its params.
func serve(private []byte) {
	pair := pairOf(private)
	id := keyID(pair.Public)
	var sessions []session

	welcome := func(hello []byte) []byte {
		if !bytes.Equal(hello[1:9], id) {
			check(fmt.Errorf("another server's key id"))
		}
		state := handshake(noise.Config{
			Prologue:      append([]byte("msp/2"), hello[:9]...),
			StaticKeypair: pair,
		})
		_, _, _, err := state.ReadMessage(nil, hello[9:])
		check(err)
		payload := make([]byte, 19)
		binary.BigEndian.PutUint32(payload[1:], 3600)
		binary.BigEndian.PutUint16(payload[13:], 4)
		binary.BigEndian.PutUint32(payload[15:], uint32(len(sessions)))
		payload = append(payload, `{"maxBody":16384,"maxBatch":16}`...)
		message, calls, answers, err := state.WriteMessage(nil, payload)
		check(err)
		sessions = append(sessions, session{keyOf(calls), keyOf(answers)})
		return append([]byte{2}, message...)
	}

	answer := func(call []byte) []byte {
		end := 3 + int(binary.BigEndian.Uint16(call[1:3])) + 24
		keys := sessions[binary.BigEndian.Uint32(call[3:7])]
		nonce := call[end-24 : end]
		open, err := chacha20poly1305.NewX(keys.calls)
		check(err)
		plain, err := open.Open(nil, nonce, call[end:], call[:end])
		check(err)
		var request struct {
			Params json.RawMessage `json:"params"`
			ID     json.RawMessage `json:"id"`
		}
		check(json.Unmarshal(plain, &request))
		response := fmt.Sprintf(`{"jsonrpc":"2.0","result":%s,"id":%s}`, request.Params, request.ID)
		ours := make([]byte, 24)
		_, err = rand.Read(ours)
		check(err)
		seal, err := chacha20poly1305.NewX(keys.answers)
		check(err)
		ad := append(append([]byte{4}, nonce...), ours...)
		return seal.Seal(append([]byte{4}, ours...), ours, []byte(response), ad)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("http://%s/v2\n", listener.Addr())
	go http.Serve(listener, http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		check(err)
		writer.Header().Set("Content-Type", "application/octet-stream")
		if body[0] == 1 {
			writer.Write(welcome(body))
		} else {
			writer.Write(answer(body))
		}
	}))
	io.Copy(io.Discard, os.Stdin)
}
