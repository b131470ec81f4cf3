/* fakeva: a software stand-in for a VA-API driver, for tests on machines without a GPU.
 * decode: H.264 VLD; a surface is filled with the picture that the table names for its first slice,
 *         grey when there is none.  encode: H.264, every macroblock I_PCM, CAVLC: bit exact.
 * Environment: FAKEVA_FRAMES file of raw NV12 pictures, FAKEVA_W and FAKEVA_H their size,
 * FAKEVA_TABLE lines "CRC32 NUMBER": checksum of a slice's NAL unit, number of its picture; pictures
 * whose slices are equal to the bit (skipped ones) cannot be told apart.
 * Faults: FAKEVA_REFUSE_INIT, FAKEVA_REFUSE_DECODE, FAKEVA_REFUSE_ENCODE,
 * FAKEVA_FAIL_AFTER=N pictures (errors), FAKEVA_CRASH_AFTER=N, FAKEVA_HANG_AFTER=N,
 * FAKEVA_SLOW_MS per picture, FAKEVA_CORRUPT (grey pictures).
 * FAKEVA_BASELINE leaves one H.264 profile, which is what makes FFmpeg's encoder use CAVLC.
 * Build: gcc -shared -fPIC -O1 -fvisibility=hidden -DVA_DRIVER_INIT_FUNC=__vaDriverInit_1_MINOR */
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <stdint.h>
#include <stddef.h>
#include <unistd.h>
#include <va/va.h>
#include <va/va_backend.h>
#include <va/va_enc_h264.h>
#define N 4096
typedef struct {
  int used, w, h, pitch;
  uint32_t fourcc;
  uint8_t *p;
  size_t size;
} Surf;
typedef struct {
  int used;
  VABufferType t;
  size_t size;
  unsigned n;
  uint8_t *p;
  int borrowed;
  VACodedBufferSegment seg;
} Buf;
typedef struct {
  int used;
  VAEntrypoint e;
  VAProfile p;
} Cfg;
typedef struct {
  int used, cfg, w, h;
  int target;
  Buf *pics[64];
  int npics;
  VABufferID coded;
} Ctx;

/* All objects of the process; an id is an index, 0 is never given out. */
static Surf S[N];
static Buf B[N];
static Cfg C[64];
static Ctx X[64];
static VAImage I[N];
static int Iu[N]; /* image in use */

static int alloc_id(int *flag_base, int stride, int n) {
  for (int i = 1; i < n; i++) {
    int *f = (int *) ((char *) flag_base + i *stride);
    if (!*f) {
      *f = 1;
      return i;
    }
  }
  return -1;
}

#define NEW(A,n) alloc_id(&A[0].used,sizeof A[0],n)
static int env(const char *name) {
  const char *v = getenv(name);
  return v ? atoi(v) : 0;
}

/* The fault of this picture, if any; counts pictures of both directions. */
static VAStatus fault(void) {
  static int n;
  n++;
  if (env("FAKEVA_SLOW_MS"))
    usleep(1000 * env("FAKEVA_SLOW_MS"));
  if (env("FAKEVA_CRASH_AFTER") && n > env("FAKEVA_CRASH_AFTER"))
    abort();
  while (env("FAKEVA_HANG_AFTER") && n > env("FAKEVA_HANG_AFTER"))
    pause();
  return env("FAKEVA_FAIL_AFTER") &&
      n > env("FAKEVA_FAIL_AFTER") ? VA_STATUS_ERROR_DECODING_ERROR : VA_STATUS_SUCCESS;
}

static VAStatus stub() {
  return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus ok() {
  return VA_STATUS_SUCCESS;
}

static VAStatus Profiles(VADriverContextP c, VAProfile *l, int *n) {
  l[0] = VAProfileH264High;
  l[1] = VAProfileH264Main;
  l[2] = VAProfileH264ConstrainedBaseline;
  l[3] = VAProfileNone;
  *n = 4;
  if (env("FAKEVA_BASELINE")) {
    l[0] = VAProfileH264ConstrainedBaseline;
    l[1] = VAProfileNone;
    *n = 2;
  }
  return 0;
}

static VAStatus Entry(VADriverContextP c, VAProfile p, VAEntrypoint *l, int *n) {
  if (p == VAProfileNone) {
    l[0] = VAEntrypointVideoProc;
    *n = 1;
    return 0;
  }
  if (p != VAProfileH264High && p != VAProfileH264Main && p != VAProfileH264ConstrainedBaseline)
    return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
  *n = 0;
  if (!env("FAKEVA_REFUSE_DECODE"))
    l[(*n)++] = VAEntrypointVLD;
  if (p == VAProfileH264ConstrainedBaseline && !env("FAKEVA_REFUSE_ENCODE"))
    l[(*n)++] = VAEntrypointEncSlice;
  return *n ? 0 : VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
}

static VAStatus GetAttr(VADriverContextP c, VAProfile p, VAEntrypoint e, VAConfigAttrib *a, int n) {
  for (int i = 0; i < n; i++)
    switch (a[i].type) {
    case VAConfigAttribRTFormat:
      a[i].value = VA_RT_FORMAT_YUV420;
      break;
    case VAConfigAttribRateControl:
      a[i].value = VA_RC_CQP;
      break;
    case VAConfigAttribEncPackedHeaders:
      a[i].value =
          VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_SLICE | VA_ENC_PACKED_HEADER_MISC |
          VA_ENC_PACKED_HEADER_RAW_DATA;
      break;
    case VAConfigAttribEncMaxRefFrames:
      a[i].value = 1;
      break;
    case VAConfigAttribEncMaxSlices:
      a[i].value = 1;
      break;
    case VAConfigAttribMaxPictureWidth:
    case VAConfigAttribMaxPictureHeight:
      a[i].value = 8192;
      break;
    default:
      a[i].value = VA_ATTRIB_NOT_SUPPORTED;
    }
  return 0;
}

static VAStatus MkCfg(VADriverContextP c, VAProfile p, VAEntrypoint e, VAConfigAttrib *a, int n,
                      VAConfigID *id) {
  if (env(e == VAEntrypointVLD ? "FAKEVA_REFUSE_DECODE" : "FAKEVA_REFUSE_ENCODE"))
    return VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT;
  int i = NEW(C, 64);
  if (i < 0)
    return VA_STATUS_ERROR_ALLOCATION_FAILED;
  C[i].e = e;
  C[i].p = p;
  *id = i;
  return 0;
}

static VAStatus RmCfg(VADriverContextP c, VAConfigID i) {
  C[i].used = 0;
  return 0;
}

static VAStatus QCfg(VADriverContextP c, VAConfigID i, VAProfile *p, VAEntrypoint *e,
                     VAConfigAttrib *a, int *n) {
  *p = C[i].p;
  *e = C[i].e;
  *n = 1;
  a[0].type = VAConfigAttribRTFormat;
  a[0].value = VA_RT_FORMAT_YUV420;
  return 0;
}

static VAStatus SAttr(VADriverContextP c, VAConfigID cfg, VASurfaceAttrib *l, unsigned *n) {
  VASurfaceAttrib a[5];
  memset(a, 0, sizeof a);
  int v[5] = { VA_FOURCC_NV12, 16, 8192, 16, 8192 };
  VASurfaceAttribType t[5] =
      { VASurfaceAttribPixelFormat, VASurfaceAttribMinWidth, VASurfaceAttribMaxWidth,
VASurfaceAttribMinHeight, VASurfaceAttribMaxHeight };
  for (int i = 0; i < 5; i++) {
    a[i].type = t[i];
    a[i].flags = VA_SURFACE_ATTRIB_GETTABLE | (i ? 0 : VA_SURFACE_ATTRIB_SETTABLE);
    a[i].value.type = VAGenericValueTypeInteger;
    a[i].value.value.i = v[i];
  }
  if (l) {
    if (*n < 5) {
      *n = 5;
      return VA_STATUS_ERROR_MAX_NUM_EXCEEDED;
    }
    memcpy(l, a, sizeof a);
  }
  *n = 5;
  return 0;
}

static VAStatus MkSurf2(VADriverContextP c, unsigned fmt, unsigned w, unsigned h, VASurfaceID *s,
                        unsigned n, VASurfaceAttrib *a, unsigned na) {
  if (fmt != VA_RT_FORMAT_YUV420)
    return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
  for (unsigned k = 0; k < n; k++) {
    int i = NEW(S, N);
    if (i < 0)
      return VA_STATUS_ERROR_ALLOCATION_FAILED;
    Surf *x = &S[i];
    x->w = w;
    x->h = h;
    x->pitch = (w + 63) & ~63;
    x->fourcc = VA_FOURCC_NV12;
    int ah = (h + 15) & ~15;
    x->size = (size_t) x->pitch * ah * 3 / 2;
    x->p = calloc(1, x->size);
    s[k] = i;
  }
  return 0;
}

static VAStatus MkSurf(VADriverContextP c, int w, int h, int f, int n, VASurfaceID *s) {
  return MkSurf2(c, f, w, h, s, n, 0, 0);
}

static VAStatus RmSurf(VADriverContextP c, VASurfaceID *s, int n) {
  for (int k = 0; k < n; k++) {
    free(S[s[k]].p);
    memset(&S[s[k]], 0, sizeof(Surf));
  }
  return 0;
}

static VAStatus MkCtx(VADriverContextP c, VAConfigID cfg, int w, int h, int f, VASurfaceID *s,
                      int n, VAContextID *id) {
  int i = NEW(X, 64);
  if (i < 0)
    return VA_STATUS_ERROR_ALLOCATION_FAILED;
  X[i] = (Ctx) {
  .used = 1,.cfg = cfg,.w = w,.h = h};
  *id = i;
  return 0;
}

static VAStatus RmCtx(VADriverContextP c, VAContextID i) {
  X[i].used = 0;
  return 0;
}

static VAStatus MkBuf(VADriverContextP c, VAContextID x, VABufferType t, unsigned size, unsigned n,
                      void *d, VABufferID *id) {
  int i = NEW(B, N);
  if (i < 0)
    return VA_STATUS_ERROR_ALLOCATION_FAILED;
  Buf *b = &B[i];
  b->t = t;
  b->n = n;
  b->size = (size_t) size *n;
  b->borrowed = 0;
  b->p = calloc(1, b->size + 64);
  if (d)
    memcpy(b->p, d, b->size);
  memset(&b->seg, 0, sizeof b->seg);
  *id = i;
  return 0;
}

static VAStatus Map(VADriverContextP c, VABufferID i, void **p) {
  Buf *b = &B[i];
  *p = b->t == VAEncCodedBufferType ? (void *) &b->seg : b->p;
  return 0;
}

static VAStatus RmBuf(VADriverContextP c, VABufferID i) {
  if (!B[i].borrowed)
    free(B[i].p);
  memset(&B[i], 0, sizeof(Buf));
  return 0;
}

static VAStatus Begin(VADriverContextP c, VAContextID x, VASurfaceID s) {
  X[x].target = s;
  X[x].npics = 0;
  return 0;
}

static VAStatus Render(VADriverContextP c, VAContextID x, VABufferID *b, int n) {
  for (int k = 0; k < n && X[x].npics < 64; k++)
    X[x].pics[X[x].npics++] = &B[b[k]];
  return 0;
}

/* ---- decode: look the slice up in the table, copy that picture ---- */
static uint32_t crc32(const uint8_t *p, size_t n) {
  uint32_t c = ~0u;
  while (n--) {
    c ^= *p++;
    for (int k = 0; k < 8; k++)
      c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
  }
  return ~c;
}

static long lookup(uint32_t crc) {
  const char *name = getenv("FAKEVA_TABLE");
  FILE *fp = name ? fopen(name, "r") : 0;
  unsigned c;
  long i, found = -1;
  if (fp) {
    while (found < 0 && fscanf(fp, "%x %ld", &c, &i) == 2)
      if (c == crc)
        found = i;
    fclose(fp);
  }
  return found;
}

static void decode(Ctx *x) {
  Surf *s = &S[x->target];
  long idx = -1;
  const char *f = getenv("FAKEVA_FRAMES");
  int w = env("FAKEVA_W"), h = env("FAKEVA_H");
  uint8_t *uv = s->p + (size_t) s->pitch * ((s->h + 15) & ~15);
  for (int k = 0; k < x->npics && idx < 0; k++)
    if (x->pics[k]->t == VASliceDataBufferType)
      idx = lookup(crc32(x->pics[k]->p, x->pics[k]->size));
  memset(s->p, 128, s->size);
  FILE *fp = f && idx >= 0 && !env("FAKEVA_CORRUPT") ? fopen(f, "rb") : 0;
  if (!fp)
    return;
  size_t r = 0;
  fseeko(fp, (off_t) idx * w * h * 3 / 2, SEEK_SET);
  for (int y = 0; y < h; y++)
    r += fread(s->p + (size_t) y * s->pitch, 1, w, fp);
  for (int y = 0; y < h / 2; y++)
    r += fread(uv + (size_t) y * s->pitch, 1, w, fp);
  fclose(fp);
  (void) r;
}

/* ---- encode: I_PCM ---- */
typedef struct {
  uint8_t *o;
  size_t n;
  unsigned acc;
  int nb;
  int z;
} BW;
static void byte(BW *b, uint8_t v) {
  if (b->z >= 2 && v <= 3) {
    b->o[b->n++] = 3;
    b->z = 0;
  }
  b->o[b->n++] = v;
  b->z = v ? 0 : b->z + 1;
}

static void bits(BW *b, unsigned v, int n) {
  while (n--) {
    b->acc = b->acc << 1 | ((v >> n) & 1);
    if (++b->nb == 8) {
      byte(b, b->acc);
      b->nb = 0;
      b->acc = 0;
    }
  }
}

static void encode(Ctx *x) {
  Surf *s = &S[x->target];
  VABufferID cid = 0;
  int sw = x->w, sh = x->h, inter = 0;
  for (int k = 0; k < x->npics; k++)
    if (x->pics[k]->t == VAEncPictureParameterBufferType)
      cid = ((VAEncPictureParameterBufferH264 *) x->pics[k]->p)->coded_buf;
  for (int k = 0; k < x->npics; k++)
    if (x->pics[k]->t == VAEncSequenceParameterBufferType) {
      VAEncSequenceParameterBufferH264 *q = (void *) x->pics[k]->p;
      sw = q->picture_width_in_mbs * 16;
      sh = q->picture_height_in_mbs * 16;
    }
  for (int k = 0; k < x->npics; k++)
    if (x->pics[k]->t == VAEncSliceParameterBufferType)
      inter = ((VAEncSliceParameterBufferH264 *) x->pics[k]->p)->slice_type % 5 != 2;
  Buf *o = &B[cid];
  sw = (sw + 15) & ~15;
  sh = (sh + 15) & ~15;
  free(o->p);
  o->p = malloc((size_t) sw * sh * 3 + 65536);
  size_t n = 0;
  VAEncPackedHeaderParameterBuffer *hp = 0;
  BW w = { 0 };
  for (int k = 0; k < x->npics; k++) {
    Buf *b = x->pics[k];
    if (b->t == VAEncPackedHeaderParameterBufferType)
      hp = (void *) b->p;
    if (b->t == VAEncPackedHeaderDataBufferType && hp) {
      if (hp->type != VAEncPackedHeaderSlice) {
        memcpy(o->p + n, b->p, (hp->bit_length + 7) / 8);
        n += (hp->bit_length + 7) / 8;
      } else {
        size_t by = hp->bit_length / 8;
        memcpy(o->p + n, b->p, by);
        w.o = o->p;
        w.n = n + by;
        for (size_t q = 0; q < by; q++)
          w.z = b->p[q] ? 0 : w.z + 1;
        if (hp->bit_length % 8)
          bits(&w, b->p[by] >> (8 - hp->bit_length % 8), hp->bit_length % 8);
      }
      hp = 0;
    }
  }
  uint8_t *uv = s->p + (size_t) s->pitch * ((s->h + 15) & ~15);
  for (int my = 0; my < sh / 16; my++)
    for (int mx = 0; mx < sw / 16; mx++) {
      if (inter) {
        bits(&w, 1, 1);
        bits(&w, 31, 9);
      } else
        bits(&w, 26, 9);
      while (w.nb)
        bits(&w, 0, 1);
      for (int y = 0; y < 16; y++)
        for (int q = 0; q < 16; q++)
          byte(&w, s->p[(size_t) (my * 16 + y) * s->pitch + mx * 16 + q]);
      for (int pl = 0; pl < 2; pl++)
        for (int y = 0; y < 8; y++)
          for (int q = 0; q < 8; q++)
            byte(&w, uv[(size_t) (my * 8 + y) * s->pitch + (mx * 8 + q) * 2 + pl]);
    }
  bits(&w, 1, 1);
  while (w.nb)
    bits(&w, 0, 1);
  o->seg.size = w.n;
  o->seg.buf = o->p;
  o->seg.next = 0;
}

static VAStatus End(VADriverContextP c, VAContextID x) {
  VAStatus r = fault();
  if (r)
    return r;
  if (C[X[x].cfg].e == VAEntrypointVLD)
    decode(&X[x]);
  else if (C[X[x].cfg].e == VAEntrypointEncSlice)
    encode(&X[x]);
  return 0;
}

static VAStatus SStat(VADriverContextP c, VASurfaceID s, VASurfaceStatus *st) {
  *st = VASurfaceReady;
  return 0;
}

static VAStatus ImgFmt(VADriverContextP c, VAImageFormat *l, int *n) {
  memset(l, 0, sizeof *l);
  l[0].fourcc = VA_FOURCC_NV12;
  l[0].byte_order = VA_LSB_FIRST;
  l[0].bits_per_pixel = 12;
  *n = 1;
  return 0;
}

static VAStatus MkImg0(int w, int h, int pitch, int ah, VAImage *im) {
  int i = 1;
  while (i < N && Iu[i])
    i++;
  if (i == N)
    return VA_STATUS_ERROR_ALLOCATION_FAILED;
  Iu[i] = 1;
  memset(im, 0, sizeof *im);
  im->image_id = i;
  im->format.fourcc = VA_FOURCC_NV12;
  im->format.byte_order = VA_LSB_FIRST;
  im->format.bits_per_pixel = 12;
  im->width = w;
  im->height = h;
  im->num_planes = 2;
  im->pitches[0] = im->pitches[1] = pitch;
  im->offsets[1] = pitch * ah;
  im->data_size = pitch * ah * 3 / 2;
  return 0;
}

static VAStatus MkImg(VADriverContextP c, VAImageFormat *f, int w, int h, VAImage *im) {
  VAStatus r = MkImg0(w, h, (w + 63) & ~63, (h + 15) & ~15, im);
  if (r)
    return r;
  VABufferID b;
  MkBuf(c, 0, VAImageBufferType, im->data_size, 1, 0, &b);
  im->buf = b;
  I[im->image_id] = *im;
  return 0;
}

static VAStatus Derive(VADriverContextP c, VASurfaceID s, VAImage *im) {
  Surf *x = &S[s];
  VAStatus r = MkImg0(x->w, x->h, x->pitch, (x->h + 15) & ~15, im);
  if (r)
    return r;
  int i = NEW(B, N);
  B[i].t = VAImageBufferType;
  B[i].p = x->p;
  B[i].borrowed = 1;
  B[i].size = x->size;
  im->buf = i;
  I[im->image_id] = *im;
  return 0;
}

static VAStatus RmImg(VADriverContextP c, VAImageID i) {
  RmBuf(c, I[i].buf);
  Iu[i] = 0;
  return 0;
}

static void cp(uint8_t *d, int dp, const uint8_t *s, int sp, int w, int h) {
  for (int y = 0; y < h; y++)
    memcpy(d + (size_t) y *dp, s + (size_t) y *sp, w);
}

static VAStatus GetImg(VADriverContextP c, VASurfaceID s, int x, int y, unsigned w, unsigned h,
                       VAImageID i) {
  Surf *q = &S[s];
  VAImage *m = &I[i];
  uint8_t *p = B[m->buf].p;
  int ah = (q->h + 15) & ~15;
  cp(p, m->pitches[0], q->p, q->pitch, w, h);
  cp(p + m->offsets[1], m->pitches[1], q->p + (size_t) q->pitch *ah, q->pitch, (w + 1) & ~1,
     (h + 1) / 2);
  return 0;
}

static VAStatus PutImg(VADriverContextP c, VASurfaceID s, VAImageID i, int a, int b, unsigned w,
                       unsigned h, int d, int e, unsigned f, unsigned g) {
  Surf *q = &S[s];
  VAImage *m = &I[i];
  uint8_t *p = B[m->buf].p;
  int ah = (q->h + 15) & ~15;
  cp(q->p, q->pitch, p, m->pitches[0], w, h);
  cp(q->p + (size_t) q->pitch *ah, q->pitch, p + m->offsets[1], m->pitches[1], (w + 1) & ~1,
     (h + 1) / 2);
  return 0;
}

static VAStatus Zero(VADriverContextP c, void *l, int *n) {
  *n = 0;
  return 0;
}

static VAStatus Zero3(VADriverContextP c, void *l, unsigned *f, unsigned *n) {
  *n = 0;
  return 0;
}

VAStatus __attribute__((visibility("default"))) VA_DRIVER_INIT_FUNC(VADriverContextP c) {
  if (env("FAKEVA_REFUSE_INIT"))
    return VA_STATUS_ERROR_UNKNOWN;
  struct VADriverVTable *v = c->vtable;
  void **q = (void **) v;
  for (size_t k = 0; k < offsetof(struct VADriverVTable, reserved) / sizeof(void *); k++)
    q[k] = (void *) stub;
  c->version_major = VA_MAJOR_VERSION;
  c->version_minor = VA_MINOR_VERSION;
  c->max_profiles = 8;
  c->max_entrypoints = 4;
  c->max_attributes = 8;
  c->max_image_formats = 2;
  c->max_subpic_formats = 1;
  c->max_display_attributes = 1;
  c->str_vendor = "fakeva software test driver";
  v->vaTerminate = (void *) ok;
  v->vaQueryConfigProfiles = Profiles;
  v->vaQueryConfigEntrypoints = Entry;
  v->vaGetConfigAttributes = GetAttr;
  v->vaCreateConfig = MkCfg;
  v->vaDestroyConfig = RmCfg;
  v->vaQueryConfigAttributes = QCfg;
  v->vaCreateSurfaces = MkSurf;
  v->vaCreateSurfaces2 = MkSurf2;
  v->vaQuerySurfaceAttributes = SAttr;
  v->vaDestroySurfaces = RmSurf;
  v->vaCreateContext = MkCtx;
  v->vaDestroyContext = RmCtx;
  v->vaCreateBuffer = MkBuf;
  v->vaMapBuffer = Map;
  v->vaUnmapBuffer = (void *) ok;
  v->vaDestroyBuffer = RmBuf;
  v->vaBeginPicture = Begin;
  v->vaRenderPicture = Render;
  v->vaEndPicture = End;
  v->vaSyncSurface = (void *) ok;
  v->vaSyncSurface2 = (void *) ok;
  v->vaSyncBuffer = (void *) ok;
  v->vaQuerySurfaceStatus = SStat;
  v->vaQueryImageFormats = ImgFmt;
  v->vaCreateImage = MkImg;
  v->vaDeriveImage = Derive;
  v->vaDestroyImage = RmImg;
  v->vaGetImage = GetImg;
  v->vaPutImage = PutImg;
  v->vaQuerySubpictureFormats = (void *) Zero3;
  v->vaQueryDisplayAttributes = (void *) Zero;
  return 0;
}
