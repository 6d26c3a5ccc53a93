// An RP2040 with 2 MB of flash in rp2040js, driven by certlet_host.emulator (see there for what each option means).
//
// The console is the chip's own USB serial port, on an open descriptor or a port of 127.0.0.1. Lines on stdin are
// commands: `clock` is answered with one line of JSON on stdout. The process ends with its stdin.

import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const FLASH = 0x10000000;
const FLASH_SIZE = 0x200000;
const STORAGE = 0xa0000; // where the file system of an RPI_PICO image begins
const CYCLE = 1e9 / 125e6; // nanoseconds; the clock of MicroPython at its default
const SLICE = 50000; // instructions between looks at the outside
const ROSC = 0x40060; // ring oscillator, by its page
const ROSC_RANDOMBIT = 0x1c;

const { values: options } = parseArgs({
  options: Object.fromEntries(
    ['modules', 'bootrom', 'image', 'flash', 'console', 'seed'].map((name) => [name, { type: 'string' }])
  ),
});
const { Simulator, USBCDC } = createRequire(options.modules + '/')('rp2040js');

/** Give the ring oscillator's RANDOMBIT random bits; rp2040js always reads 1, and os.urandom() were a constant. */
function cureRandomBit(mcu, seed) {
  const rosc = mcu.peripherals[ROSC];
  const read = rosc.readUint32.bind(rosc);
  let state = seed;
  const next = () => {
    state ^= state << 13; // xorshift32
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 16) & 1;
  };
  const bit = seed === undefined ? () => (Math.random() < 0.5 ? 0 : 1) : next;
  rosc.readUint32 = (offset) => (offset === ROSC_RANDOMBIT ? bit() : read(offset));
}

/** Make the serial port's host answer NAK while it has nothing to send, as hosts do; returns the function that sends.
 *
 * rp2040js completes every OUT transfer at once, with no data if need be, and the chip's USB stack then starts the next
 * one: two thirds of the chip's time are gone.
 */
function cureNak(mcu, cdc) {
  const read = mcu.usbCtrl.onEndpointRead;
  let pending = null;
  mcu.usbCtrl.onEndpointRead = (endpoint, size) => {
    if (endpoint === cdc.outEndpoint && cdc.txFIFO.empty) pending = size;
    else read(endpoint, size);
  };
  return (queue) => {
    while (queue.length && !cdc.txFIFO.full) {
      const chunk = queue[0];
      let sent = 0;
      while (sent < chunk.length && !cdc.txFIFO.full) cdc.sendSerialByte(chunk[sent++]);
      if (sent === chunk.length) queue.shift();
      else queue[0] = chunk.subarray(sent);
    }
    if (pending !== null && !cdc.txFIFO.empty) {
      const size = pending;
      pending = null;
      read(cdc.outEndpoint, size);
    }
  };
}

/** Do what the boot ROM's flash_range_erase and flash_range_program do, and keep the file system in the file `kept`. */
function cureFlash(mcu, kept) {
  const keep = (offset, length) => {
    const start = Math.max(offset, STORAGE);
    if (offset + length > start) writeSync(kept, mcu.flash, start, offset + length - start, start - STORAGE);
  };
  const erase = (offset, length) => {
    mcu.flash.fill(0xff, offset, offset + length);
    keep(offset, length);
  };
  const program = (offset, address, length) => {
    for (let i = 0; i < length; i++) mcu.flash[offset + i] &= mcu.readUint8((address + i) >>> 0);
    keep(offset, length);
  };
  const stops = { RE: [1, erase], RP: [2, program] };
  const rom = new DataView(mcu.bootrom.buffer);
  for (let entry = rom.getUint16(0x14, true); rom.getUint16(entry, true); entry += 4) {
    const code = String.fromCharCode(rom.getUint8(entry), rom.getUint8(entry + 1));
    if (!(code in stops)) continue;
    const at = rom.getUint16(entry + 2, true) & ~1;
    rom.setUint16(at, 0xbe00 | stops[code][0], true); // bkpt #n
    rom.setUint16(at + 2, 0x4770, true); // bx lr
  }
  mcu.onBreak = (number) => {
    const { registers } = mcu.core;
    for (const [stop, act] of Object.values(stops)) if (number === stop) act(registers[0], registers[1], registers[2]);
  };
}

/** Write a UF2 file into the flash. */
function load(flash, file) {
  for (let block = 0; block < file.length; block += 512) {
    const length = file.readUInt32LE(block + 16);
    flash.set(file.subarray(block + 32, block + 32 + length), file.readUInt32LE(block + 12) - FLASH);
  }
}

/** The file with the octets of the file system, made blank if it is not there. */
function openFlash(path) {
  if (!existsSync(path)) {
    const blank = openSync(path, 'wx', 0o600);
    writeSync(blank, Buffer.alloc(FLASH_SIZE - STORAGE, 0xff));
    closeSync(blank);
  }
  return openSync(path, 'r+');
}

const bootrom = readFileSync(options.bootrom);
const image = readFileSync(options.image);
const kept = openFlash(options.flash);
const seed = options.seed === undefined ? undefined : (Number(options.seed) * 2654435761) | 1;
const queue = []; // from the host to the chip
let console_ = null;
let chip = null;

/** Switch the chip on. */
function boot(onReady) {
  const simulator = new Simulator();
  const mcu = simulator.rp2040;
  const silent = () => {};
  mcu.logger = { debug: silent, info: silent, warn: silent, error: silent };
  mcu.loadBootrom(new Uint32Array(bootrom.buffer.slice(bootrom.byteOffset, bootrom.byteOffset + bootrom.length)));
  load(mcu.flash, image);
  mcu.flash.set(readFileSync(options.flash).subarray(0, FLASH_SIZE - STORAGE), STORAGE);
  cureRandomBit(mcu, seed);
  cureFlash(mcu, kept);
  const cdc = new USBCDC(mcu.usbCtrl);
  const send = cureNak(mcu, cdc);
  cdc.onSerialData = (data) => console_?.write(Buffer.from(data));
  cdc.onDeviceConnected = onReady;
  const watchdog = mcu.peripherals[0x40058];
  watchdog.onWatchdogTrigger = () => (chip.reset = true); // machine.reset()
  mcu.core.PC = FLASH;
  return { mcu, clock: simulator.clock, send, reset: false };
}

// Idle time of the chip is held back to the host's clock: otherwise the chip's time limits, for what the host sends,
// would be over in no time. `origin` is the last moment at which both clocks were in step.
let origin;

function keepPace() {
  origin = { host: performance.now(), chip: chip.clock.nanos };
}

/** Milliseconds that the chip's clock is ahead of the host's. */
function ahead() {
  const difference = (chip.clock.nanos - origin.chip) / 1e6 - (performance.now() - origin.host);
  if (difference < 0) keepPace();
  return difference;
}

/** Run the chip for a while; whether it then has nothing to do. */
function slice() {
  const { mcu, clock, send } = chip;
  const { core } = mcu;
  send(queue);
  for (let i = 0; i < SLICE && !chip.reset; i++) {
    if (!core.waiting) {
      clock.tick(core.executeInstruction() * CYCLE);
      if ((i & 1023) === 0) send(queue);
    } else {
      if (ahead() > 0.5) return true;
      clock.tick(Math.min(clock.nanosToNextAlarm, 1e6));
      send(queue);
    }
  }
  return false;
}

function run() {
  const idle = slice();
  if (chip.reset) {
    queue.length = 0;
    chip = boot(() => {});
    keepPace();
  }
  if (idle) setTimeout(run, 1);
  else setImmediate(run);
}

function attach(socket) {
  console_?.destroy();
  console_ = socket;
  socket.setNoDelay(true);
  socket.on('data', (data) => queue.push(data));
  socket.on('close', () => {
    if (console_ === socket) console_ = null;
  });
  socket.on('error', () => {});
}

const answer = (object) => process.stdout.write(JSON.stringify(object) + '\n');
const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  if (line === 'clock') answer({ cycles: chip.mcu.core.cycles, nanos: chip.clock.nanos });
});
commands.on('close', () => process.exit(0));

const ready = () => {
  if (options.console.startsWith('fd:')) {
    attach(new Socket({ fd: Number(options.console.slice(3)) }));
    answer({ ready: true });
  } else {
    const server = createServer(attach);
    server.listen(Number(options.console), '127.0.0.1', () => answer({ ready: true, port: server.address().port }));
  }
};
chip = boot(ready);
keepPace();
run();
