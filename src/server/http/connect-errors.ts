import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Compression,
  compressedFlag,
  createAsyncIterable,
  encodeEnvelope,
  readAllBytes,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamFromJson,
  endStreamToJson,
  errorFromJsonBytes,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";

/** Returns the error that the caller shall see in place of this one; undefined leaves it. */
export type Correct = (error: ConnectError) => ConnectError | undefined;

type Body = AsyncIterable<Uint8Array>;
type Bytes = Uint8Array;

/** Decompresses the bytes of a response. */
type Unpack = (bytes: Bytes) => Promise<Bytes>;

/** It is our own answer, so it needs no limit. */
const ANY_LENGTH = 0xffffffff;

/**
 * Connect answers some errors by itself, before a handler sees the call, in the form of each
 * protocol. `correct` replaces them here.
 */
export async function correctErrors(
  response: UniversalServerResponse,
  compressions: readonly Compression[],
  correct: Correct,
): Promise<UniversalServerResponse> {
  const { header, body, trailer } = response;
  if (header === undefined || body === undefined) return response;
  const unpackBy = (encodingHeader: string): Unpack => {
    const name = header.get(encodingHeader);
    const compression = compressions.find((known) => known.name === name);
    return async (bytes) => (await compression?.decompress(bytes, ANY_LENGTH)) ?? bytes;
  };
  const type = header.get("content-type") ?? "";
  if (type.startsWith("application/grpc-web")) {
    const unpack = unpackBy("grpc-encoding");
    const corrected = rewriteEnvelope(body, trailerFlag, unpack, (bytes) => {
      const trailers = trailerParse(bytes);
      return correctTrailers(trailers, correct) ? trailerSerialize(trailers) : undefined;
    });
    return { ...response, body: corrected };
  }
  if (type.startsWith("application/grpc")) {
    if (trailer === undefined) return response;
    return { ...response, body: atEnd(body, () => correctTrailers(trailer, correct)) };
  }
  if (type.startsWith("application/connect+")) {
    const unpack = unpackBy("connect-content-encoding");
    const corrected = rewriteEnvelope(body, endStreamFlag, unpack, (bytes) => {
      const { metadata, error } = endStreamFromJson(bytes);
      const instead = error === undefined ? undefined : correct(error);
      if (instead === undefined) return undefined;
      return Buffer.from(JSON.stringify(endStreamToJson(metadata, instead, undefined)));
    });
    return { ...response, body: corrected };
  }
  return response.status === 200
    ? response
    : correctUnary(header, body, unpackBy("content-encoding"), correct);
}

/** gRPC: the error is in the trailers. */
function correctTrailers(trailers: Headers, correct: Correct): boolean {
  const error = findTrailerError(trailers);
  const instead = error === undefined ? undefined : correct(error);
  if (instead === undefined) return false;
  setTrailerStatus(trailers, instead);
  return true;
}

/** A unary call of the Connect protocol: the error is the body. */
async function correctUnary(
  header: Headers,
  body: Body,
  unpack: Unpack,
  correct: Correct,
): Promise<UniversalServerResponse> {
  const bytes = await unpack(await readAllBytes(body, ANY_LENGTH));
  const error = errorFromJsonBytes(bytes, undefined, new ConnectError("", Code.Internal));
  const instead = correct(error) ?? error;
  const answer = errorToJsonBytes(instead, undefined);
  header.delete("content-encoding");
  header.set("content-length", String(answer.byteLength));
  return { status: codeToHttpStatus(instead.code), header, body: createAsyncIterable([answer]) };
}

/**
 * Streams of gRPC-Web and Connect: the error is in an envelope with `flag`. Connect makes each
 * envelope one chunk of the body.
 */
function rewriteEnvelope(
  body: Body,
  flag: number,
  unpack: Unpack,
  rewrite: (bytes: Bytes) => Bytes | undefined,
): Body {
  return mapBody(body, async (result) => {
    if (result.done === true) return result;
    const flags = result.value[0] ?? 0;
    if ((flags & flag) === 0) return result;
    const data = result.value.subarray(5);
    const rewritten = rewrite((flags & compressedFlag) === 0 ? data : await unpack(data));
    return rewritten === undefined
      ? result
      : { done: false, value: encodeEnvelope(flag, rewritten) };
  });
}

function atEnd(body: Body, callback: () => void): Body {
  return mapBody(body, (result) => {
    if (result.done === true) callback();
    return result;
  });
}

type Result = IteratorResult<Bytes, unknown>;

/** It leaves `return` and `throw` alone: by them a handler learns that the caller has gone. */
function mapBody(body: Body, map: (result: Result) => Result | Promise<Result>): Body {
  return {
    [Symbol.asyncIterator]() {
      const chunks = body[Symbol.asyncIterator]();
      const mapped: AsyncIterator<Bytes, unknown> = { next: () => chunks.next().then(map) };
      if (chunks.return !== undefined) mapped.return = chunks.return.bind(chunks);
      if (chunks.throw !== undefined) mapped.throw = chunks.throw.bind(chunks);
      return mapped;
    },
  };
}
