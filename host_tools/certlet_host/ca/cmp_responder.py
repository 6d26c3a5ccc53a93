"""The CMP side of the lab CA: one request in, one reply out (RFC 9810).

    exchange: parse -> check the header -> authenticate -> handle the body, or delay it -> protect the reply

A request that fails before it is authenticated gets an error message; so does one whose body is not supported. The
CA signs every error message (5.3.21). Any request can be delayed: its answer then comes to a later pollReq (5.3.22).
The same message again gets the same reply again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from . import cmp_bodies as bodies
from . import request
from .authentication import Authenticator
from .cmp_codec import Message, parse_message
from .cmp_reply import Call, Peer, Reply, Writer
from .cmp_schema import POLL_REQUEST
from .enrolment import REPLY, Enrolment, Outcome
from .faults import StoreError
from .general import General
from .provoke import NOTHING, Provoke
from .revocation import Revocation
from .state import State
from .status import Refused
from .tables import Transaction, settle, sweep

log = logging.getLogger("certlet.ca")

_REPLY = {**REPLY, "rr": "rp", "genm": "genp", "certConf": "pkiconf", "error": "pkiconf"}
_DELAYED = {*REPLY, "rr", "genm", "certConf"}
_CHECK_AFTER = 10  # seconds, while somebody has to approve


@dataclass
class Served:
    """What the HTTP front sends: the reply, the status, and what is odd about the transport (provoked)."""

    reply: bytes
    status: int = 200
    transport: str = ""


@dataclass
class _Turn:
    """One message being answered; `provoke` is known once its kind is."""

    data: bytes
    label: str
    received: Message | None = None
    peer: Peer | None = None
    provoke: Provoke = NOTHING


class Responder:
    """Answers CMP requests from the state of a lab CA."""

    def __init__(
        self, state: State, *, provoke: Provoke = NOTHING, implicit_confirm: bool = True, send_root: bool = False,
        confirm_seconds: int = 600, signer: str = "p256", manual: bool = False,
    ) -> None:
        """Grants implicitConfirm when asked unless switched off; `send_root` adds the root to signed replies.

        `signer` is the kind of key that signs replies; with `manual` certificates are issued after approval only.
        """
        self.state = state
        self._provoke = provoke
        self._confirm_seconds = confirm_seconds
        self._manual = manual
        self._provoked = 0
        self._lock = threading.Lock()
        self._authenticator = Authenticator(state)
        self._writer = Writer(state.authority, signer, send_root=send_root)
        enrolment, revocation, general = (
            Enrolment(state, implicit_confirm=implicit_confirm), Revocation(state), General(state)
        )
        self._openers: dict[str, Callable[[Session, Call], Outcome]] = {
            **dict.fromkeys(REPLY, enrolment.enrol), "rr": revocation.revoke, "genm": general.inform,
        }
        self._followers: dict[str, Callable[[Session, Call, Transaction], Reply]] = {
            "certConf": enrolment.confirm, "error": enrolment.give_up,
        }

    def respond(self, data: bytes) -> bytes:
        """The DER of the reply to a PKIMessage; whatever comes in, a PKIMessage goes out."""
        return self.serve(data).reply

    def exchange(self, data: bytes, label: str = "") -> tuple[int, bytes]:
        """The HTTP status and the reply; the status is 200 unless provoked."""
        served = self.serve(data, label)
        return served.status, served.reply

    def serve(self, data: bytes, label: str = "") -> Served:
        """The reply, and how to send it; `label` is that of the path /.well-known/cmp/p/LABEL."""
        turn = _Turn(data, label)
        try:
            turn.received = parse_message(data)
            turn.provoke = self._provocation(self._due(turn.received))
            reply = self._answer(turn, turn.received)
        except Refused as fault:
            log.info("%s: refused, %s", turn.received.kind if turn.received else "not a PKIMessage", fault)
            reply = self._error(turn, bodies.refusal(fault.fail_info, fault.text))
        except StoreError as fault:
            log.error("%s", fault)
            reply = self._error(turn, bodies.refusal("systemFailure", "the CA failed; its log names the fault"))
        except Exception as fault:
            # The type alone: the text of an unforeseen exception may hold anything.
            log.error("internal fault: %s", type(fault).__name__)
            reply = self._error(turn, bodies.refusal("systemFailure", "the CA failed; its log names the fault"))
        provoke = turn.provoke
        return Served(reply[: len(reply) // 2] if provoke.truncated else reply, provoke.http_status, provoke.transport)

    def _error(self, turn: _Turn, body: bytes) -> bytes:
        nonce = turn.received and turn.received.sender_nonce
        return self._writer.write(Reply("error", body), turn.received, None, turn.provoke, nonce)

    # Provocations

    def _due(self, received: Message) -> str:
        """The kind of reply that is due."""
        if received.kind != "pollReq":
            return _REPLY.get(received.kind, "error")
        with self.state.store.session() as session:
            transaction = session.get(Transaction, (received.transaction_id or b"").hex())
            if transaction is None or transaction.pending is None or transaction.polls:
                return "pollRep"
            return _REPLY[parse_message(transaction.pending).kind]

    def _provocation(self, kind: str) -> Provoke:
        """What to provoke in a reply of this kind."""
        if self._provoke.only not in ("", kind):
            return NOTHING
        with self._lock:
            self._provoked += 1
            spent = 0 < self._provoke.times < self._provoked
        return NOTHING if spent else self._provoke

    # Transactions

    def _answer(self, turn: _Turn, received: Message) -> bytes:
        provoke = turn.provoke
        _check_header(received, provoke)
        peer = turn.peer = self._authenticator.authenticate(received, strict_sender=provoke.strict_sender)
        if provoke.error:
            raise Refused(*provoke.error)
        with self.state.store.session() as session:
            sweep(session, int(time.time()))
            transaction = session.get(Transaction, received.transaction_id.hex())
            if transaction is not None and transaction.requester == peer.name and (
                transaction.request_digest == received.digest
            ):
                return transaction.reply
            if received.kind in self._openers:
                transaction = self._open(session, transaction, received, peer)
            elif received.kind in self._followers or received.kind == "pollReq":
                transaction = _own(transaction, received, peer)
            else:
                raise Refused("badRequest", f"{received.kind} is not supported")
            return self._step(session, transaction, turn, Call(received, received, peer, provoke, turn.label))

    def _open(self, session: Session, known: Transaction | None, received: Message, peer: Peer) -> Transaction:
        if known is not None:
            raise Refused("transactionIdInUse", "the transactionID is in use")
        transaction = Transaction(
            identifier=received.transaction_id.hex(), requester=peer.name, request_digest=b"", reply=b"", req_id=-1,
            nonce=b"", earlier=b"", state="done", deadline=0, label="", poll_id=-1, polls=0, check_after=0,
        )
        if received.kind in REPLY:
            transaction.req_id = request.read(received).req_id
        session.add(transaction)
        return transaction

    def _step(self, session: Session, transaction: Transaction, turn: _Turn, call: Call) -> bytes:
        """One reply within a transaction, and what the transaction keeps of it."""
        received, kept = call.received, True
        if received.kind == "pollReq":
            reply, call = self._poll(session, transaction, call)
        elif delay := self._delay(call):
            transaction.polls, transaction.check_after = delay
            transaction.pending, transaction.label = turn.data, call.label
            reply = self._wait(transaction, call)
            log.info("%s from %s: delayed, transaction %s", received.kind, call.peer.name, transaction.identifier)
        else:
            kept = received.kind in self._openers
            reply = self._carry_out(session, transaction, call)
        nonce = (call.original if call.provoke.original_nonce else received).sender_nonce
        correct = self._writer.write(reply, received, call.peer, NOTHING, nonce)
        if kept:
            transaction.request_digest, transaction.reply = received.digest, correct
            transaction.earlier, transaction.nonce = transaction.nonce, reply.nonce
            transaction.deadline = int(time.time()) + self._confirm_seconds
        if call.provoke is NOTHING:
            return correct
        return self._writer.write(reply, received, call.peer, call.provoke, nonce)

    def _carry_out(self, session: Session, transaction: Transaction, call: Call) -> Reply:
        kind = call.original.kind
        if kind in self._followers:
            return self._followers[kind](session, call, transaction)
        outcome = self._openers[kind](session, call)
        transaction.state, transaction.serial, transaction.req_id = outcome.state, outcome.serial, outcome.req_id
        if outcome.state == "implicit":
            settle(session, transaction, outcome.state)
        return outcome.reply

    # Delayed delivery

    def _delay(self, call: Call) -> tuple[int, int] | None:
        """The number of polls (negative: until approved) and checkAfter, None to answer at once."""
        provoke, kind = call.provoke, call.received.kind
        if provoke.wait and kind in _DELAYED:
            polls, seconds = provoke.wait
        elif self._manual and kind in REPLY:
            polls, seconds = -1, _CHECK_AFTER
        else:
            return None
        return polls, seconds if provoke.check_after is None else provoke.check_after

    @staticmethod
    def _wait(transaction: Transaction, call: Call) -> Reply:
        """ip, cp or kup with status waiting, an error message for every other kind."""
        kind = REPLY.get(call.received.kind)
        if kind is None or call.provoke.wait_as_error:
            transaction.poll_id = -1
            return Reply("error", bodies.waiting_error())
        transaction.poll_id = transaction.req_id
        return Reply(kind, bodies.waiting(kind, transaction.req_id))

    def _poll(self, session: Session, transaction: Transaction, call: Call) -> tuple[Reply, Call]:
        """pollReq: pollRep while the answer is delayed, then the answer, with the request that it answers."""
        if transaction.pending is None:
            raise Refused("badRequest", "this transaction has no answer to poll for")
        original, due = parse_message(transaction.pending), transaction.poll_id
        asked = [int(item["certReqId"]) for item in call.received.content(POLL_REQUEST)]
        if asked != [due]:
            raise Refused("badRequest", f"pollReq does not hold exactly the certReqId {due}")
        if transaction.polls:
            transaction.polls -= transaction.polls > 0
            req_id = due + call.provoke.wrong_req_id
            return Reply("pollRep", bodies.poll_reply(req_id, transaction.check_after)), call
        transaction.pending = None
        call = Call(original, call.received, call.peer, call.provoke, transaction.label)
        return self._carry_out(session, transaction, call), call


def _check_header(received: Message, provoke: Provoke) -> None:
    if received.pvno not in (2, 3):
        raise Refused("unsupportedVersion", "pvno is neither cmp2000(2) nor cmp2021(3)")
    if not 16 <= len(received.transaction_id or b"") <= 64:
        raise Refused("badRequest", "the transactionID is missing or not 16..64 bytes long")
    if not 16 <= len(received.sender_nonce or b"") <= 64:
        raise Refused("badSenderNonce", "the senderNonce is missing or not 16..64 bytes long")
    if provoke.time_window:
        off = abs((datetime.now(UTC) - received.time).total_seconds()) if received.time else None
        if off is None or off > provoke.time_window:
            raise Refused("badTime", f"the messageTime is missing or more than {provoke.time_window} seconds off")


def _own(transaction: Transaction | None, received: Message, peer: Peer) -> Transaction:
    """The transaction a later message belongs to; the same sender, and a nonce of ours in it."""
    if transaction is None or transaction.requester != peer.name:
        raise Refused("badRequest", "there is no such transaction of this sender")
    if not received.recip_nonce or received.recip_nonce not in (transaction.nonce, transaction.earlier):
        raise Refused("badRecipientNonce", "the recipNonce is not the senderNonce of the reply")
    return transaction
