// An attribute: a type, and octets that are made or cut out only for whoever looks at them.

/**
 * One attribute. `vendor` 0 is the standard space; otherwise `type` is the vendor's own number
 * and the wire carries it inside type 26 (RFC 2865 §5.26). A type 26 whose inside could not be
 * read stays `{ type: 26, vendor: 0 }` with the vendor id still in `value`.
 */
export interface Attribute {
  readonly type: number;
  readonly vendor: number;
  readonly value: Buffer;
  /** How long `value` is, where that is known without making it. */
  readonly octets?: number;
  /** Writes `value` into a packet without making it. */
  writeTo?(packet: Buffer, at: number): void;
}

/** How long the value of an attribute is. */
export function octetsOf(attribute: Attribute): number {
  return attribute.octets ?? attribute.value.length;
}

/**
 * An attribute of a packet that was read. Few of them are looked at, and most of those as text or a number: a view of the
 * octets costs as much as all the rest of reading it.
 */
export class WireAttribute implements Attribute {
  readonly type: number;
  readonly vendor: number;
  readonly #packet: Buffer;
  readonly #start: number;
  readonly #end: number;

  constructor(type: number, vendor: number, packet: Buffer, start: number, end: number) {
    this.type = type;
    this.vendor = vendor;
    this.#packet = packet;
    this.#start = start;
    this.#end = end;
  }

  get value(): Buffer {
    return this.#packet.subarray(this.#start, this.#end);
  }

  /** As UTF-8; octets that are none become U+FFFD. */
  get text(): string {
    return this.#packet.toString('utf8', this.#start, this.#end);
  }

  /** As an unsigned number; undefined when it is not 4 octets long. */
  get number(): number | undefined {
    return this.#end - this.#start === 4 ? this.#packet.readUInt32BE(this.#start) : undefined;
  }
}

/** An attribute to be sent that is a text. */
export class TextAttribute implements Attribute {
  readonly type: number;
  readonly vendor: number;
  readonly octets: number;
  readonly #text: string;

  constructor(type: number, vendor: number, text: string) {
    this.type = type;
    this.vendor = vendor;
    this.octets = Buffer.byteLength(text);
    this.#text = text;
  }

  get value(): Buffer {
    return Buffer.from(this.#text);
  }

  writeTo(packet: Buffer, at: number): void {
    packet.write(this.#text, at);
  }
}

/** An attribute to be sent that is an unsigned 32-bit number. */
export class NumberAttribute implements Attribute {
  readonly type: number;
  readonly vendor: number;
  readonly octets = 4;
  readonly #number: number;

  constructor(type: number, vendor: number, number: number) {
    this.type = type;
    this.vendor = vendor;
    this.#number = number;
  }

  get value(): Buffer {
    const octets = Buffer.alloc(4);
    this.writeTo(octets, 0);
    return octets;
  }

  writeTo(packet: Buffer, at: number): void {
    packet.writeUInt32BE(this.#number, at);
  }
}
